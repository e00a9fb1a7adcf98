"""Images that users bring: wide grey ones are scaled, absurd sizes and numbers are refused."""

from pathlib import Path

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.host.image import read_image

CASES = Path(__file__).parents[1] / "data" / "cases"


def test_sixteen_bits_are_scaled_and_said(tmp_path):
    image = pytest.importorskip("PIL.Image")
    wide = np.array([[0, 255, 257], [32768, 65534, 65535]], np.uint16)
    image.fromarray(wide).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match="16 bits scaled to 8"):
        got = read_image(str(tmp_path / "a.png"), (1, 2, 3))
    assert got.tolist() == [[[0, 1, 1], [128, 255, 255]]]


def test_case_of_sixteen_bits():
    pytest.importorskip("PIL")
    with pytest.warns(UserWarning, match="16 bits scaled to 8"):
        assert read_image(str(CASES / "grey16.png"), (1, 8, 8)).shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("name", "words"), [("huge.png", "PNG file of sane size"), ("p2big.pgm", "grey PGM file")]
)
def test_absurd_files_are_one_sentence(name, words):
    pytest.importorskip("PIL")
    with pytest.raises(SpikeloomError, match=words) as error:
        read_image(str(CASES / name), (1, 8, 8))
    assert "\n" not in str(error.value)
