"""Fixtures of training."""

from tests.train.small import few_digits  # noqa: F401
from tests.train.teachers import module  # noqa: F401
