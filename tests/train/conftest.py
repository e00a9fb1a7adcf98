"""Fixtures of training."""

from tests.train.small import few_digits  # noqa: F401
