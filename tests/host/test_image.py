"""Images as users have them: taken as what they can only be, or refused with a cure that works."""

import io
import re
import subprocess
import sys

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.data import load
from sw.host.image import read_image
from tests.host.pictures import COLOURS, GREY, PIXELS, RGB, refused, saved
from tests.host.virtual import image


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


def test_images(tmp_path):
    want = image()
    np.save(tmp_path / "a.npy", want)
    np.save(tmp_path / "b.npy", want[0])
    (tmp_path / "c.pgm").write_bytes(b"P5\n# a comment\n16 16\n255\n" + want.tobytes())
    text = "P2\n16 16 # size\n255\n" + " ".join(map(str, want.ravel().tolist()))
    (tmp_path / "d.pgm").write_text(text, encoding="utf-8")
    for name in ("a.npy", "b.npy", "c.pgm", "d.pgm"):
        got = read_image(str(tmp_path / name), (1, 16, 16))
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, want)


def test_png(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    grey, colour = image()[0], np.random.default_rng(2).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    pillow.fromarray(grey).save(tmp_path / "a.png")
    pillow.fromarray(colour).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.png"), (1, 16, 16))[0], grey)
    np.testing.assert_array_equal(
        read_image(str(tmp_path / "b.png"), (3, 4, 6)), colour.transpose(2, 0, 1)
    )


def test_digits_image():
    pytest.importorskip("sklearn")
    assert read_image("digits:359", (1, 16, 16)).shape == (1, 16, 16)
    with pytest.raises(SpikeloomError, match="the index must be 0 to 359"):
        read_image("digits:360", (1, 16, 16))
    with pytest.raises(SpikeloomError, match="images of digits are square and have 1 channel"):
        read_image("digits:0", (3, 32, 32))


def test_image_of_a_fetched_data_set(fetched):
    fetched("mnist")
    test = load("mnist", 14).test_images
    np.testing.assert_array_equal(read_image("mnist:3", (1, 14, 14)), test[3])
    assert read_image("mnist:9999", (1, 28, 28)).shape == (1, 28, 28)
    for index in ("10000", "-1", "", "one"):
        with pytest.raises(SpikeloomError, match="the index must be 0 to 9999"):
            read_image(f"mnist:{index}", (1, 28, 28))


@pytest.mark.parametrize(
    ("source", "shape", "message"),
    [
        ("mnist:3", (1, 28, 28), "run python -m sw.data fetch mnist$"),
        ("fashion-mnist:7", (1, 28, 28), "run python -m sw.data fetch fashion-mnist$"),
        ("cifar10:0", (1, 32, 32), "images of cifar10 are square and have 3 channels, but"),
        ("cifar10:0", (3, 32, 32), "run python -m sw.data fetch cifar10$"),
        (
            "n-mnist:0",
            (2, 34, 34),
            "n-mnist is no data set of still images; those are digits, mnist",
        ),
        ("mnits:0", (1, 28, 28), "mnits is no data set of still images; those are digits, mnist"),
    ],
)
def test_image_of_a_data_set_that_is_not_there(monkeypatch, tmp_path, source, shape, message):
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    with pytest.raises(SpikeloomError, match=message) as error:
        read_image(source, shape)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.xyz", b"x", "is of no known kind; give .npy"),
        ("a.jpg", b"x", "is not a whole JPG file|Pillow is not installed"),
        ("a.npy", b"x", "is not a whole .npy file"),
        ("a.pgm", b"P5 16 16 255\nxx", "is not a whole PGM or PPM file"),
        ("a.pgm", b"P2 1 1 255\nxx", "is not a whole PGM or PPM file"),
        ("a.pgm", b"P5 1 1 65535\nx", "is not a whole PGM or PPM file"),
        ("a.png", b"xx", "is not a whole PNG file|Pillow is not installed"),
        ("a.pgm", b"P5 2 1 255\nxx", r"is 2x1 pixels \(width x height\), the network reads 16x16"),
    ],
)
def test_bad_images(name, data, message, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SpikeloomError, match=message):
        read_image(str(tmp_path / name), (1, 16, 16))


def test_bad_image_type(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((16, 16)))
    with pytest.raises(SpikeloomError, match="holds float64; give uint8"):
        read_image(str(tmp_path / "a.npy"), (1, 16, 16))
    with pytest.raises(SpikeloomError, match=r"cannot read image .*: No such file"):
        read_image(str(tmp_path / "b.npy"), (1, 16, 16))
