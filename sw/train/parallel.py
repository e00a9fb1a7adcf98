"""Training in several processes, as ``torchrun`` starts them: each has its share of every batch.

One process is the plain case, in which nothing here does anything.
"""

import atexit
import os
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from hw.common.errors import SpikeloomError


class Processes:
    """One process among those of the run; after `join` they can talk.

    Raises
    ------
    SpikeloomError
        If the device is not there.
    """

    def __init__(self, device: str = "auto"):
        self.rank, self.count = (int(os.environ.get(k, d)) for k, d in _ENVIRONMENT)
        local = int(os.environ.get("LOCAL_RANK", 0))
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            if device == "cuda":
                device = f"cuda:{local}"
            self.device = torch.device(device)
            torch.zeros(1, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise SpikeloomError(
                f"Device {device!r} cannot be used ({str(error).splitlines()[0]}); "
                "give --device cpu, cuda or cuda:N"
            ) from error

    @property
    def first(self) -> bool:
        """Whether this one writes and reports."""
        return self.rank == 0

    def join(self) -> "Processes":
        """Meet the others; a teacher's run and its student's share one group, up to the end."""
        if self.count > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
            atexit.register(dist.destroy_process_group)
        return self

    def share(self, rows: Tensor) -> Tensor:
        """Rows of a batch that are for this process."""
        return rows[self.rank :: self.count]

    def average(self, tensors: Iterable[Tensor | None]) -> None:
        """Replace each tensor by its mean over all processes."""
        if self.count == 1:
            return
        found = [t for t in tensors if t is not None and t.is_floating_point()]
        whole = torch.cat([t.detach().flatten().float() for t in found])
        dist.all_reduce(whole)
        whole /= self.count
        parts = whole.split([t.numel() for t in found])
        with torch.no_grad():
            for t, part in zip(found, parts, strict=True):
                t.copy_(part.view_as(t))

    def average_gradients(self, model: nn.Module) -> None:
        """Average what `backward` found."""
        self.average(p.grad for p in model.parameters())

    def average_statistics(self, model: nn.Module) -> None:
        """Average the statistics of batch normalisation, which saw different images."""
        self.average(model.buffers())

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is set anywhere."""
        if self.count == 1:
            return flag
        found = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(found)
        return bool(found > 0)

    def everyone(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value)
        return found

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            dist.barrier()


_ENVIRONMENT = (("RANK", 0), ("WORLD_SIZE", 1))
