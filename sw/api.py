"""The face: what a user calls, from a checkpoint to a program. The only file that knows all stages.

::

    net = load("digits")             # a float network; net.run(images) needs torch
    q = net.lower()                  # the integer network; q.run(images) is the golden model
    program = q.compile(config)      # what a core, a simulator or a host runs

The two networks are the data of `sw.graph` and `sw.network` with these verbs.
"""

import dataclasses
import functools
import os
import zipfile
from collections.abc import Collection
from typing import Any, Self

import numpy as np

from hw.arch.config import Config
from hw.common.errors import SpikeloomError
from sw import golden, graph, lower, network
from sw.compiler import Program, compile_network
from sw.compiler.origin import check_origin, is_program
from sw.frontend import load as read_checkpoint
from sw.graph import execute
from sw.network import storage
from sw.result import Result


class FloatNetwork(graph.FloatNetwork):
    """A trained network in float32, as `load` returns it."""

    @classmethod
    def of(cls, net: graph.FloatNetwork) -> Self:
        """The same network with the verbs."""
        return _dressed(cls, net)

    def run(
        self,
        images: np.ndarray,
        *,
        trace: bool | str | Collection[str] = False,
        batch: int = 64,
    ) -> Result:
        """Run in float32 with torch, as the authors' code does in evaluation mode.

        Parameters
        ----------
        images : uint8 (B, H, W), (B, C, H, W) or (B, T, C, H, W), one frame per step.
        trace : True keeps the spikes of every LIF (uint8); "all" keeps every tensor;
            a collection of names keeps those.
        batch : images per pass.
        """
        return execute.run(self, images, trace=trace, batch=batch)

    def run_sequences(self, frames: np.ndarray, lengths: np.ndarray, *, batch: int = 64) -> Result:
        """Run sequences frame by frame: the logits are the sums over the frames of each.

        Parameters
        ----------
        frames : uint8 (n, T, C, H, W), of which the first ``lengths`` count, (n,).
        batch : sequences per pass.
        """
        logits = np.zeros((len(frames), self.classes), np.float32)
        for length in np.unique(lengths).tolist():
            rows = lengths == length
            net = dataclasses.replace(self, steps=length)
            logits[rows] = length * net.run(frames[rows, :length], batch=batch).logits
        return Result(logits=logits)

    def measure_alpha(self, images: np.ndarray, *, batch: int = 64) -> dict[str, float]:
        """Largest ``|tanh(v)|`` that each quantised state has on ``images``, for ``with_alpha``.

        A neuron whose state is always 0 gets 1.
        """
        return execute.measure_alpha(self, images, batch=batch)

    def lower(self, calibration: np.ndarray | None = None, **options: Any) -> "IntegerNetwork":
        """Integer network; see ``sw.lower.search`` for the options."""
        return IntegerNetwork.of(lower.lower(self, calibration, **options))


class IntegerNetwork(network.IntegerNetwork):
    """An integer network, as `FloatNetwork.lower` returns it or a file holds it."""

    @classmethod
    def of(cls, net: network.IntegerNetwork) -> Self:
        """The same network with the verbs."""
        return _dressed(cls, net)

    def run(self, images: np.ndarray, trace: bool = False, **options: Any) -> Result:
        """Run exactly: the golden model; see ``sw.golden.run``."""
        return golden.run(self, images, trace, **options)

    def run_sequences(self, frames: np.ndarray, lengths: np.ndarray, **options: Any) -> Result:
        """Run sequences, each as a stream of its own: the logits are the sums over its frames.

        ``frames`` are uint8 (n, T, C, H, W), of which the first ``lengths`` count, (n,); see
        ``sw.golden.run`` for the options. SpikeloomError if the network is no stream.
        """
        if not self.stream:
            raise SpikeloomError(
                f"{self.name}: sequences are run as streams, and this network was lowered for "
                "whole images; lower it with stream=True"
            )
        pairs = zip(frames, np.asarray(lengths).tolist(), strict=True)
        sums = [self.run(each[:length], **options).logits.sum(axis=0) for each, length in pairs]
        return Result(logits=np.stack(sums), scale=self.head.scale)

    def compile(self, config: Config | None = None) -> Program:
        """Program of this network for a hardware configuration; see ``sw.compiler``."""
        return compile_network(self, config)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to an npz file; the same network gives the same bytes."""
        storage.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote."""
        return cls.of(storage.load(path))


def _dressed(cls: Any, net: Any) -> Any:
    """``net`` as an instance of ``cls``, a subclass of its type; its fields are checked already."""
    if isinstance(net, cls):
        return net
    out = object.__new__(cls)
    out.__dict__.update(vars(net))
    return out


@functools.wraps(read_checkpoint)
def load(*args: Any, **options: Any) -> FloatNetwork:
    """Load a trained network; see ``sw.frontend.load``."""
    return FloatNetwork.of(read_checkpoint(*args, **options))


def read_network(source: str, stream: bool = False) -> IntegerNetwork:
    """Return an integer network that was saved, or lower the float network ``source`` names.

    ``stream``: its images are the steps of one stream; those of a network that was trained on
    sequences are that anyway.
    """
    try:
        with zipfile.ZipFile(source) as z:
            saved = "json.npy" in z.namelist()
    except (OSError, zipfile.BadZipFile):
        saved = False
    if not saved:
        return load(source).lower(stream=stream or None)
    net = IntegerNetwork.load(source)
    if stream and not net.stream:
        raise SpikeloomError(
            f"integer network {source!r} was lowered for whole images, not for a stream; "
            "lower the float network again with stream=True"
        )
    return net


def read_origin(program: Program, source: str) -> IntegerNetwork:
    """Return the network ``source`` (see `read_network`) that ``program`` was compiled from.

    SpikeloomError where it cannot be that one.
    """
    if is_program(source):
        raise SpikeloomError(
            f"network {source!r} is a compiled program; give the network that it was compiled "
            "from: a name, a model file or an integer network"
        )
    net = read_network(source, program.stream)
    check_origin(program, net)
    return net
