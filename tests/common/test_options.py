"""Errors of options name the form that is wanted."""

import argparse

import pytest

from hw.common.options import real, whole


@pytest.mark.parametrize("text", ["32x", "", "1.5", "x", "-1", "1e3", "nan"])
def test_whole_numbers(text):
    kind = whole("a number of images", 20, 0)
    with pytest.raises(argparse.ArgumentTypeError) as found:
        kind(text)
    assert str(found.value) == (
        f"{text!r} is not a number of images, wanted a whole number from 0, such as 20"
    )
    assert [kind("0"), kind("7")] == [0, 7]
    assert whole("a seed", 0)("-3") == -3


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "0", "-2", "1,5"])
def test_real_numbers(text):
    kind = real("a number of minutes", 50, above=0)
    with pytest.raises(argparse.ArgumentTypeError) as found:
        kind(text)
    assert str(found.value) == (
        f"{text!r} is not a number of minutes, wanted a number above 0, such as 50"
    )
    assert [kind("0.5"), kind("1e-9")] == [0.5, 1e-9]
    assert real("a mean", 0.5)("-1") == -1
