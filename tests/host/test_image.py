"""Images as users have them: taken as what they can only be, or refused with a cure that works."""

import io
import re
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.host.image import read_image
from tests.fixtures import CASES

Image = pytest.importorskip("PIL.Image")
GREY, RGB = (1, 8, 8), (3, 8, 8)
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (8, 8), dtype=np.uint8)
COLOURS = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)


def refused(source, shape, words):
    with pytest.raises(SpikeloomError, match=words) as e:
        read_image(str(source), shape)
    assert len(str(e.value)) < 1200
    return str(e.value)


def saved(path, pixels, mode=None):
    Image.fromarray(pixels, mode).save(path)
    return str(path)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    with pytest.warns(UserWarning, match="its values of 0 to 65535 are scaled to 0 to 255"):
        got = read_image(str(CASES / "grey16.png"), GREY)
    want = np.asarray(Image.open(CASES / "grey16.png")).astype(float) / 257
    assert np.abs(got[0] - want).max() <= 0.5
    deep = PIXELS.astype(np.uint16) * 257
    with pytest.warns(UserWarning, match="scaled"):
        np.testing.assert_array_equal(read_image(saved(tmp_path / "a.PNG", deep), GREY)[0], PIXELS)


@pytest.mark.parametrize("name", ["huge.png", "p2big.pgm"])
def test_absurd_sizes_and_numbers(name):
    refused(CASES / name, GREY, "is too large|is not a whole")


def test_grey_and_colour(tmp_path):
    np.testing.assert_array_equal(read_image(saved(tmp_path / "g.png", PIXELS), GREY)[0], PIXELS)
    colour = saved(tmp_path / "c.png", COLOURS)
    np.testing.assert_array_equal(read_image(colour, RGB), np.moveaxis(COLOURS, 2, 0))
    with pytest.warns(UserWarning, match="it is grey"):
        got = read_image(str(tmp_path / "g.png"), RGB)
    np.testing.assert_array_equal(got, np.stack([PIXELS] * 3))
    with pytest.warns(UserWarning, match="made grey"):
        got = read_image(colour, GREY)[0]
    luma = COLOURS @ np.array([0.299, 0.587, 0.114])
    assert np.abs(got - luma).max() <= 0.51
    same = saved(tmp_path / "s.png", np.stack([PIXELS] * 3, axis=2))
    np.testing.assert_array_equal(read_image(same, GREY)[0], PIXELS)  # no warning
    refused(colour, (2, 8, 8), "has 3 channels, the network reads 2")


def test_alpha(tmp_path):
    opaque = np.dstack([COLOURS, np.full((8, 8), 255, np.uint8)])
    got = read_image(saved(tmp_path / "a.png", opaque), RGB)
    np.testing.assert_array_equal(got, np.moveaxis(COLOURS, 2, 0))
    clear = opaque.copy()
    clear[0, 0, 3] = 0
    with pytest.warns(UserWarning, match="laid over black"):
        got = read_image(saved(tmp_path / "b.png", clear), RGB)
    assert not got[:, 0, 0].any()
    assert (got[:, 1] == np.moveaxis(COLOURS, 2, 0)[:, 1]).all()


def test_other_modes(tmp_path):
    picture = Image.fromarray(PIXELS)
    for mode, name in (("1", "a.png"), ("P", "b.png"), ("LA", "c.png"), ("L", "d.bmp")):
        picture.convert(mode).save(tmp_path / name)
        got = read_image(str(tmp_path / name), GREY)
        np.testing.assert_array_equal(got[0], np.asarray(picture.convert(mode).convert("L")))
    Image.fromarray(COLOURS).convert("CMYK").save(tmp_path / "e.jpg", quality=100)
    assert read_image(str(tmp_path / "e.jpg"), RGB).shape == RGB


@pytest.mark.parametrize(
    ("head", "top", "kind"),
    [
        (b"P5\n# drawn\n8 8\n255\n", 255, "u1"),
        (b"P5 8 8 65535\n", 65535, ">u2"),
        (b"P5 8 8 15 ", 15, "u1"),
    ],
)
def test_pgm(head, top, kind, tmp_path):
    values = (PIXELS.astype(int) * top // 255).astype(kind)
    (tmp_path / "a.pgm").write_bytes(head + values.tobytes())
    if top == 255:
        got = read_image(str(tmp_path / "a.pgm"), GREY)[0]
    else:
        with pytest.warns(UserWarning, match=f"0 to {top} are scaled"):
            got = read_image(str(tmp_path / "a.pgm"), GREY)[0]
    assert np.abs(got - values.astype(int) * 255 / top).max() <= 0.5


def test_plain_pgm_and_ppm(tmp_path):
    text = " ".join(map(str, PIXELS.ravel()))
    (tmp_path / "a.pgm").write_text(f"P2 8 8 255\n# here\n{text}", encoding="ascii")
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.pgm"), GREY)[0], PIXELS)
    (tmp_path / "a.ppm").write_bytes(b"P6 8 8 255\n" + COLOURS.tobytes())
    np.testing.assert_array_equal(
        read_image(str(tmp_path / "a.ppm"), RGB), np.moveaxis(COLOURS, 2, 0)
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"P5",
        b"P5 8 8 255",
        b"P5 8 8 255\nshort",
        b"P5 0 8 255\n" + bytes(64),
        b"P5 8 8 0\n" + bytes(64),
        b"P5 999999999 999999999 255\n",
        b"P2 8 8 255\n" + b"1 " * 63,
        b"P2 8 8 10\n" + b"11 " * 64,
        b"P2 8 8 255\n" + b"-1 " * 64,
        b"P4 8 8\n" + bytes(8),
        b"P5 8888888888888888888 8 255\n",
        b"P2 8 8 255\n" + b"9" * 100_000,
    ],
)
def test_pgm_that_is_none(data, tmp_path):
    (tmp_path / "a.pgm").write_bytes(data)
    refused(tmp_path / "a.pgm", GREY, "is not a whole PGM|says ")


def png(width, height, depth=8, colour=0, body=b"", interlaced=0, cut=99, tail=b""):
    """Return a PNG file whose packed pixels end in ``tail``, cut in pieces of ``cut`` bytes."""

    def chunk(kind, data):
        size, crc = (struct.pack(">I", n) for n in (len(data), zlib.crc32(kind + data)))
        return size + kind + data + crc

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    packed = zlib.compress(body) + tail
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            chunk(b"PLTE", bytes(768)) if colour == 3 else b"",
            *(chunk(b"IDAT", packed[n : n + cut]) for n in range(0, len(packed), cut)),
            chunk(b"IEND", b""),
        ]
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG",
        png(8, 8, 77),
        png(8, 8, 8, 9),
        png(0, 0),
        png(1 << 31, 1),
        png(8, 8, body=bytes(72))[:-30],
        b"GIF89a" + bytes(20),
    ],
)
def test_png_that_is_none(data, tmp_path):
    (tmp_path / "a.png").write_bytes(data)
    refused(tmp_path / "a.png", GREY, "is not a whole PNG|is too large|pixels")


#: Channels by colour type, and the depths that it may have.
COLOUR_TYPES = {
    0: (1, (1, 2, 4, 8, 16)),
    2: (3, (8, 16)),
    3: (1, (1, 2, 4, 8)),
    4: (2, (8, 16)),
    6: (4, (8, 16)),
}


def rows(width, height, bits):
    """Rows of ones without filter, ``bits`` for each pixel."""
    return (b"\0" + b"\xff" * ((width * bits + 7) // 8)) * height


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize(
    ("colour", "depth"), [(c, d) for c, (_, depths) in COLOUR_TYPES.items() for d in depths]
)
@pytest.mark.parametrize("width", [5, 13])
@pytest.mark.filterwarnings("ignore:image")
def test_png_whose_pixels_end_early(colour, depth, interlaced, width, tmp_path):
    """Pillow fills some of them up with zeros, by where its pieces end."""
    bits = depth * COLOUR_TYPES[colour][0]
    whole = rows(width, 11, bits)
    if interlaced:  # 13 x 11: by hand from the pattern of the seven passes
        sizes = {13: [(2, 2), (2, 2), (4, 1), (3, 3), (7, 3), (6, 6), (13, 5)]}
        sizes[5] = [(1, 2), (1, 2), (2, 1), (1, 3), (3, 3), (2, 6), (5, 5)]
        whole = b"".join(rows(w, h, bits) for w, h in sizes[width])
    path, shape = tmp_path / "a.png", (1, 11, width)
    for cut in (7, 99):
        for tail in (b"", b"x" * 9):
            options = {"interlaced": interlaced, "cut": cut, "tail": tail}
            path.write_bytes(png(width, 11, depth, colour, whole, **options))
            assert read_image(str(path), shape).shape == shape
            for short in (1, len(whole) // 2, len(whole)):
                path.write_bytes(png(width, 11, depth, colour, whole[:-short], **options))
                refused(path, shape, "is truncated: it holds|is not a whole PNG")


def test_png_in_a_bmp_that_ends_early(tmp_path):
    """The name's ending does not matter; what is missing is told."""
    whole = rows(20, 12, 1)
    (tmp_path / "a.bmp").write_bytes(png(20, 12, 1, 3, whole))
    assert not read_image(str(tmp_path / "a.bmp"), (1, 12, 20)).any()
    (tmp_path / "a.bmp").write_bytes(png(20, 12, 1, 3, whole[:20]))
    refused(
        tmp_path / "a.bmp",
        (1, 12, 20),
        r"is truncated: it holds 20 bytes of pixels and their rows' filters, wanted 48; save it",
    )


def test_sizes_are_told_with_a_command_that_works(tmp_path):
    path = saved(tmp_path / "big.png", np.zeros((20, 12), np.uint8))
    text = refused(path, GREY, "is 12x20 pixels .width x height., the network reads 8x8; resize it")
    code = re.search(r'python -c "(.*)"', text)[1]
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert read_image(str(tmp_path / "big-8x8.png"), GREY).shape == GREY


def keep(path, array):
    np.save(path, array)
    return str(path)


def test_arrays(tmp_path):
    for shape in ((8, 8), (1, 8, 8), (8, 8, 1), (1, 1, 8, 8)):
        got = read_image(keep(tmp_path / "a.npy", PIXELS.reshape(shape)), GREY)
        np.testing.assert_array_equal(got[0], PIXELS)
    chw = np.moveaxis(COLOURS, 2, 0)
    for array in (chw, COLOURS, COLOURS.astype(np.int64), chw[None]):
        np.testing.assert_array_equal(read_image(keep(tmp_path / "a.npy", array), RGB), chw)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (PIXELS / 255, r"holds float64; .*\(255 \* images\)\.round\(\)\.astype"),
        (PIXELS.astype(np.float32), r"holds float32; .*numpy.save\(FILE, images\.astype"),
        (PIXELS > 9, "holds bool"),
        (PIXELS.astype(int) * 9, r"has values \d+ to \d+; give pixels 0 to 255"),
        (np.zeros((5, 8, 8), np.uint8), r"holds 5 images; give one of them: numpy\.save"),
        (np.zeros((5, 1, 8, 8), np.uint8), "holds 5 images"),
        (np.zeros((9, 8), np.uint8), "has shape"),
        (np.zeros((64,), np.uint8), "has shape"),
        (np.zeros((2, 8, 8, 3), np.uint8), "has shape"),
    ],
)
def test_arrays_that_are_refused(array, words, tmp_path):
    refused(keep(tmp_path / "a.npy", array), GREY, words)


def test_npy_that_is_none(tmp_path):
    for data in (b"", b"text", b"\x93NUMPY\x01\x00\xff\xff", io.BytesIO().getvalue()):
        (tmp_path / "a.npy").write_bytes(data)
        refused(tmp_path / "a.npy", GREY, "is not a whole .npy file")
    np.save(tmp_path / "o.npy", np.array([{}], object), allow_pickle=True)
    refused(tmp_path / "o.npy", GREY, "is not a whole .npy file")
    refused(tmp_path / "none.npy", GREY, "cannot read image")
    refused(tmp_path / "none.xyz", GREY, "is of no known kind")
