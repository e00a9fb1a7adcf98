"""What running a network gives back."""

import numpy as np
import pytest

from sw.result import Result


def test_the_most_likely_class_is_the_first_of_the_largest():
    logits = np.array([[1, 5, 2], [-3, -4, -3], [0, 0, 9]])
    got = Result(logits=logits).predictions
    assert got.dtype == np.int64
    assert got.tolist() == [1, 0, 2]


def test_defaults_are_those_of_a_float_run():
    one, other = Result(logits=np.zeros((1, 2))), Result(logits=np.zeros((1, 2)))
    assert (one.scale, one.trace) == (1.0, {})
    assert one.trace is not other.trace
    with pytest.raises(AttributeError):
        one.scale = 2.0  # pyright: ignore[reportAttributeAccessIssue]
