"""Fixtures of Q-SNNs."""

import contextlib

with contextlib.suppress(ImportError):
    from tests.families.qsnn.files import want  # noqa: F401
