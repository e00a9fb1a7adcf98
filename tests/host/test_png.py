"""Pixels of a PNG that are not all there are told, whatever a decoder makes of them."""

import pytest

from sw.host.image import read_image
from tests.host.pictures import png, refused

pytest.importorskip("PIL.Image")

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
