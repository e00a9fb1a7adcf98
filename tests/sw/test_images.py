"""What counts as images: accepted without loss, or refused with a cure that works."""

import numpy
import pytest

import sw
from hw.arch import SpikeloomError
from sw.images import as_frames
from sw.testing import random_network
from tests import networks

SMALL = networks.SMALL | {"width": 12, "steps": 3, "classes": 4}
H, W, T = 12, 8, 2
rng = numpy.random.default_rng(5)
GREY = rng.integers(0, 256, (5, 1, H, W)).astype(numpy.uint8)
RGB = rng.integers(0, 256, (5, 3, H, W)).astype(numpy.uint8)
RGBA = numpy.concatenate([RGB, numpy.full((5, 1, H, W), 7, numpy.uint8)], axis=1)
EVENTS = rng.integers(0, 9, (5, T, 2, H, W)).astype(numpy.uint8)
LUMA = numpy.einsum("bchw,c->bhw", RGB, (0.299, 0.587, 0.114)).round().astype(numpy.uint8)[:, None]
THRICE = GREY.repeat(3, axis=1)


def last(images):
    return numpy.moveaxis(images, -3, -1)


def tensor(images, **changes):
    torch = pytest.importorskip("torch")
    return torch.as_tensor(numpy.ascontiguousarray(images), **changes)


def picture(image):
    pillow = pytest.importorskip("PIL.Image")
    return pillow.fromarray(image[0] if image.shape[0] == 1 else numpy.moveaxis(image, 0, -1))


def read(images, wanted, size=(H, W), per_step=None):
    return as_frames(images, channels=wanted.shape[-3], steps=T, size=size, per_step=per_step)


ACCEPTED = {
    "plain": (lambda: GREY, GREY),
    "no channel axis": (lambda: GREY[:, 0], GREY),
    "colours": (lambda: RGB, RGB),
    "steps": (lambda: EVENTS, EVENTS),
    "channels last": (lambda: last(RGB), RGB),
    "grey, channels last": (lambda: last(GREY), GREY),
    "steps, channels last": (lambda: last(EVENTS), EVENTS),
    "int64": (lambda: RGB.astype(numpy.int64), RGB),
    "uint16": (lambda: RGB.astype(numpy.uint16), RGB),
    "whole floats": (lambda: RGB.astype(numpy.float32), RGB),
    "counts as floats": (lambda: EVENTS.astype(numpy.float64), EVENTS),
    "big endian": (lambda: RGB.astype(">i4"), RGB),
    "list of arrays": (lambda: list(last(RGB)), RGB),
    "tuple of tensors": (lambda: tuple(tensor(image) for image in RGB), RGB),
    "tensor": (lambda: tensor(RGB), RGB),
    "tensor with gradient": (
        lambda: tensor(
            RGB.astype(numpy.float32),
        ).requires_grad_(),
        RGB,
    ),
    "bfloat16": (lambda: tensor(RGB).bfloat16(), RGB),
    "grey pictures": (lambda: [picture(image) for image in GREY], GREY),
    "coloured pictures": (lambda: [picture(image) for image in RGB], RGB),
    "one grey picture": (lambda: picture(GREY[0]), GREY[:1]),
    "one coloured picture": (lambda: picture(RGB[0]), RGB[:1]),
}


@pytest.mark.parametrize("size", [(H, W), None], ids=["size", "no size"])
@pytest.mark.parametrize("kind", ACCEPTED)
def test_accepted(kind, size):
    make, wanted = ACCEPTED[kind]
    frames = read(make(), wanted, size)
    assert frames.dtype == numpy.uint8
    assert frames.shape == (wanted if wanted.ndim == 5 else wanted[:, None]).shape
    assert frames.tobytes() == wanted.tobytes()


#: Images, what was meant, words of the refusal, and what the cure gives where it is not that.
REFUSED = {
    "one grey image": (lambda: GREY[0, 0], GREY[:1], "must have shape"),
    "one grey image, channel last": (lambda: last(GREY[0]), GREY[:1], "looks like one image"),
    "one image": (lambda: RGB[0], RGB[:1], "for one image"),
    "one image, channels last": (lambda: last(RGB[0]), RGB[:1], "for one image"),
    "flat": (lambda: RGB.reshape(5, -1), RGB, "must have shape"),
    "one flat": (lambda: RGB[0].ravel(), RGB[:1], "must have shape"),
    "grey for colours": (lambda: GREY, THRICE, "they look grey"),
    "grey for colours, last": (lambda: last(GREY), THRICE, "they look grey"),
    "one grey for colours": (lambda: GREY[0, 0], THRICE[:1], "for one image"),
    "one grey for colours, last": (lambda: last(GREY[0]), THRICE[:1], "for one image"),
    "grey without axis for colours": (lambda: GREY[:, 0], THRICE, "for grey ones|give images"),
    "colours for grey": (lambda: RGB, LUMA, "they look coloured"),
    "colours for grey, last": (lambda: last(RGB), LUMA, "they look coloured"),
    "one in colours for grey": (lambda: last(RGB[0]), LUMA[:1], "looks like one image"),
    "alpha": (lambda: RGBA, RGB, "look like RGBA"),
    "alpha, last": (lambda: last(RGBA), RGB, "look like RGBA"),
    "one with alpha": (lambda: last(RGBA[0]), RGB[:1], "for one image"),
    "one with alpha, first": (lambda: RGBA[0], RGB[:1], "for one image"),
    "alpha for grey": (lambda: RGBA, LUMA, "they look coloured"),
    "alpha for grey, last": (lambda: last(RGBA), LUMA, "they look coloured"),
    "one with alpha for grey": (lambda: last(RGBA[0]), LUMA[:1], "looks like one image"),
    "0 to 1": (lambda: (RGB / 255).astype(numpy.float32), RGB, "without normalising"),
    "half of 0 to 1": (lambda: (RGB / 255).astype(numpy.float16), RGB, "without normalising"),
    "fractions": (lambda: RGB.clip(1, 254) + 0.25, RGB.clip(1, 254), "give images.round"),
    "16 bits": (lambda: RGB.astype(numpy.uint16) * 257, RGB, "if white is 65535"),
    "read as int8": (lambda: RGB.view(numpy.int8), RGB, "read as int8"),
    "sides changed": (lambda: RGB.swapaxes(2, 3), RGB, "changed places"),
    "sides changed, last": (lambda: last(RGB.swapaxes(2, 3)), RGB, "changed places"),
    "tensor 0 to 1": (lambda: tensor(RGB / 255), RGB, "without normalising"),
    "grey tensor": (lambda: tensor(GREY), THRICE, "they look grey"),
    "coloured tensor": (lambda: tensor(RGB), LUMA, "they look coloured"),
    "one tensor": (lambda: tensor(RGB[0]), RGB[:1], "for one image"),
    "numbers": (lambda: RGB.tolist(), RGB, "must be a numpy array, not list of numbers"),
    "list 0 to 1": (lambda: [image / 255 for image in RGB], RGB, "without normalising"),
    "steps first": (lambda: EVENTS.swapaxes(0, 1), EVENTS, "steps come first"),
    "one of several frames": (lambda: EVENTS[0], EVENTS[:1], "frames of one image", True),
    "one frame for all": (
        lambda: EVENTS[:, 0],
        EVENTS[:, :1].repeat(T, axis=1),
        "same frame at every step",
        True,
    ),
    "frames of one": (lambda: RGB[:, None], RGB, "for one image", False),
    "the same frame each step": (
        lambda: RGB[:, None].repeat(T, axis=1),
        RGB,
        "all steps have the same",
        False,
    ),
    "grey frames": (
        lambda: GREY[:2].reshape(1, 2, H, W),
        GREY[:2][None],
        "one frame per step",
        True,
    ),
}


def cured(message, images, word="give ", **names):
    """What the message's cure gives, evaluated as a user would: the first expression there."""
    text = message.partition(word)[2]
    for end in range(1, len(text) + 1):
        if text[end : end + 1] in ("", " ", ",", ";"):
            try:
                code = compile(text[:end], "cure", "eval")
            except SyntaxError:
                continue
            return eval(code, {"numpy": numpy, "images": images, "H": H, "W": W, **names})
    raise AssertionError(message)


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_with_a_cure_that_works(kind):
    make, wanted, words, *per_step = REFUSED[kind]
    images = make()
    options = {"per_step": per_step[0] if per_step else None}
    with pytest.raises(SpikeloomError, match=words) as caught:
        read(images, wanted, **options)
    message = str(caught.value)
    assert "\n" not in message
    frames = read(cured(message, images), wanted, **options)
    assert frames.tobytes() == wanted.tobytes()


def test_channels_before_steps():
    clips = rng.integers(0, 9, (5, 4, 2, H, W)).astype(numpy.uint8)
    wrong = clips.swapaxes(1, 2)
    with pytest.raises(SpikeloomError, match="if the channels come before the steps") as caught:
        as_frames(wrong, channels=2, steps=4)
    frames = as_frames(cured(str(caught.value), wrong), channels=2, steps=4)
    assert frames.tobytes() == clips.tobytes()


def test_normalised():
    mean, std = (numpy.array(v).reshape(3, 1, 1) for v in ((0.49, 0.48, 0.45), (0.25, 0.24, 0.26)))
    for images in (((RGB / 255 - mean) / std).astype(numpy.float32), RGB / 255 * 2 - 1):
        with pytest.raises(SpikeloomError, match="these look normalised") as caught:
            read(images, RGB)
    images = (RGB / 255 - mean) / std
    again = cured(str(caught.value), images, word="(C, 1, 1), by ", mean=mean, std=std)
    assert read(again, RGB).tobytes() == RGB.tobytes()


def test_both_meanings_of_bool():
    white = GREY > 100
    with pytest.raises(SpikeloomError, match="where true is white") as caught:
        read(white, GREY)
    assert set(numpy.unique(cured(str(caught.value), white))) == {0, 255}
    counts = cured(str(caught.value), white, word="count of one, ")
    assert set(numpy.unique(read(counts, GREY))) == {0, 1}


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("digits.npy", "not str; read the file first"),
        (None, "not NoneType; give an array"),
        (object(), "not object; give an array"),
        ({"a": 1}, "not dict; give an array"),
        ([GREY[0], GREY[0, :, :4]], "Images of a list must have one shape"),
        ((GREY, numpy.zeros(5)), "where the list is .images, labels., give its first part"),
        ([[1, 2], [3]], "not list of numbers; give numpy.asarray"),
        ([], "Images are empty"),
        (GREY[:0], "Images are empty"),
        (GREY[..., :0], "Images are empty"),
        (numpy.uint8(3), "must have shape"),
        (GREY.astype(complex), "not complex128"),
        (GREY.astype(object), "not object"),
        (GREY.astype(str), "not <U"),
        (numpy.where(GREY > 99, numpy.nan, 0.5), "not finite"),
        (numpy.where(GREY > 99, numpy.inf, 0.5), "not finite"),
        (GREY.astype(int) - 1, "from -1 to"),
        (GREY.astype(int) << 20, "scale them so that white is 255"),
        (GREY.astype(float) - 20, "pixels are 0 .black. and more"),
        (numpy.ma.masked_array(GREY, GREY > 9), "masked array"),
        (GREY.repeat(5, axis=1), "Images have 5 channels"),
        (GREY[..., :5], "Images are 12x5 .* resize them"),
        (GREY[None, None, None], "must have shape"),
    ],
)
def test_other_refusals(images, message):
    with pytest.raises(SpikeloomError, match=message) as caught:
        read(images, GREY)
    assert "\n" not in str(caught.value)


def test_a_data_set_is_no_batch():
    from sw.data import load_digits

    with pytest.raises(SpikeloomError, match="give its test_images"):
        sw.load("digits").lower().run(load_digits())


@pytest.mark.parametrize(
    ("mode", "wanted", "cure"),
    [
        ("RGB", GREY, "L"),
        ("RGBA", GREY, "L"),
        ("L", RGB, "RGB"),
        ("RGBA", RGB, "RGB"),
        ("P", RGB, "RGB"),
        ("1", GREY, "L"),
        ("CMYK", RGB, "RGB"),
        ("I;16", GREY, "L"),
    ],
)
def test_pictures_of_other_modes(mode, wanted, cure):
    image = pytest.importorskip("PIL.Image").new(mode, (W, H))
    for images in (image, [image, image]):
        with pytest.raises(SpikeloomError, match=f"mode '{mode}'.* give image.convert..{cure}"):
            read(images, wanted)
    assert read(image.convert(cure), wanted).shape == (1, 1, wanted.shape[1], H, W)


def test_loaders_of_torch():
    data = pytest.importorskip("torch.utils.data")
    loader = data.DataLoader(data.TensorDataset(tensor(RGB)), batch_size=5)
    with pytest.raises(SpikeloomError, match="not DataLoader; give the images of one") as caught:
        read(loader, RGB)
    assert (
        read(cured(str(caught.value), loader, word="one batch, "), RGB).tobytes() == RGB.tobytes()
    )
    batch = next(iter(loader))  # a list of one tensor
    with pytest.raises(SpikeloomError, match="for a batch of 5 images") as caught:
        read(batch, RGB)
    assert read(cured(str(caught.value), batch), RGB).tobytes() == RGB.tobytes()


def test_event_data_has_no_pictures():
    with pytest.raises(SpikeloomError, match="2 channels, and a PIL image has none such"):
        read(picture(RGB[0]), EVENTS)


def test_as_many_rows_as_channels():
    """The size says where the channels are, if it can; else they come first."""
    flat = rng.integers(0, 256, (2, 3, 3, 7)).astype(numpy.uint8)  # (B, C, H, W)
    given = numpy.moveaxis(flat, 1, -1)  # (2, 3, 7, 3)
    assert as_frames(given, channels=3, steps=1, size=(3, 7)).tobytes() == flat.tobytes()
    assert as_frames(flat, channels=3, steps=1, size=(3, 7)).tobytes() == flat.tobytes()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([[1]], "must be a numpy array"),
        (numpy.zeros((1, 8, 12), dtype=numpy.float32), "must be uint8"),
        (numpy.zeros((8, 12), dtype=numpy.uint8), "must have shape"),
        (numpy.zeros((0, 8, 12), dtype=numpy.uint8), "empty"),
        (numpy.zeros((2, 3, 8, 12), dtype=numpy.uint8), "3 channels"),
        (numpy.zeros((2, 12, 8), dtype=numpy.uint8), "lowered for 8x12"),
        (numpy.zeros((2, 2, 1, 8, 12), dtype=numpy.uint8), "2 frames"),
        (numpy.zeros((2, 3, 1, 8, 12), dtype=numpy.uint8), "one image for all steps"),
    ],
    ids=["list", "float", "rank", "empty", "channels", "size", "frames", "per_step"],
)
def test_wrong_images_are_refused(images, message):
    network = random_network(0, **SMALL)
    with pytest.raises(SpikeloomError, match=message):
        network.run(images)


def test_per_step_network_refuses_a_single_image():
    network = random_network(0, **SMALL | {"per_step_input": True})
    with pytest.raises(SpikeloomError, match="one frame per step"):
        network.run(numpy.zeros((2, 1, 8, 12), dtype=numpy.uint8))
