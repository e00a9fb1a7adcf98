"""Pictures are read whole and told where they were changed, or refused with a cure."""

import numpy as np
import pytest

from sw.host.image import read_image
from tests.fixtures import CASES
from tests.host.pictures import COLOURS, GREY, PIXELS, RGB, png, refused, saved

Image = pytest.importorskip("PIL.Image")


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
