"""One thread for torch: tiny tensors gain nothing from more, and a busy machine loses much."""

import contextlib

with contextlib.suppress(ImportError):
    import torch

    torch.set_num_threads(1)

    from tests.train.small import few_digits  # noqa: F401
    from tests.train.teachers import module  # noqa: F401
