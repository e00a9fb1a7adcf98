"""What only cards of streams tell: how soon the answer is right, and the work of a frame."""

import math
from typing import Any

import numpy as np

from sim.interpreter import interpret
from sw.api import IntegerNetwork
from sw.compiler import Program
from sw.network import BinaryLayer, Head, Mean, PixelConv
from sw.network.layers.base import neuron_of
from sw.network.network import tensor_shapes
from sw.network.values import Neuron

SOON = (1, 2, 3, 5, 7, 10)  #: Frames after which the answer is looked at.
MEMORIES = {
    "row": "words of spikes",
    "col": "words of spikes in column memory",
    "res": "residuals",
    "mem": "bytes of membranes",
    "pix": "numbers in pixel memory",
}


def how_soon(
    network: IntegerNetwork, frames: np.ndarray, lengths: np.ndarray, labels: np.ndarray
) -> dict[str, Any]:
    """Fields of the JSON beside the weights: shares of sequences that are right.

    ``accuracy_after`` so many frames at most, by the sum of their logits; ``accuracy_forgetting``
    the same after all of them where the membranes begin at 0 in each frame.
    """
    kept, fresh = [], []
    for each, length in zip(frames, lengths.tolist(), strict=True):
        kept.append(network.run(each[:length]).logits)
        alone = [network.run(each[n : n + 1]).logits for n in range(length)]
        fresh.append(np.concatenate(alone))

    def right(logits: list[np.ndarray], most: int | None) -> float:
        answers = [rows[:most].sum(axis=0).argmax() for rows in logits]
        return float((np.array(answers) == labels).mean())

    return {
        "accuracy_after": {str(n): right(kept, n) for n in SOON},
        "accuracy_forgetting": right(fresh, None),
    }


def soon_lines(fields: dict[str, Any]) -> list[str]:
    """How soon the answer is right, as lines of a card."""
    after = fields["accuracy_after"]
    every, forgetting = fields["integer_test_accuracy"], fields["accuracy_forgetting"]
    return [
        "## After so many frames",
        "",
        f"| frames | {' | '.join(after)} | all |",
        f"|---|{'---|' * (len(after) + 1)}",
        f"| right | {' | '.join(f'{100 * a:.2f} %' for a in [*after.values(), every])} |",
        "",
        f"With membranes that begin at 0 in each frame {100 * forgetting:.2f} % are right after "
        "all of them, by the sum of their logits alone.",
    ]


def multiplications(network: IntegerNetwork) -> tuple[int, int]:
    """Multiplications by weights of more than one bit, and by factors of channels or means."""
    shapes = tensor_shapes(network).shape
    by_weights = by_factors = 0
    for layer in network.layers:
        if isinstance(layer, PixelConv):
            _, *space = shapes[layer.neuron.name]
            by_weights += layer.weight.size * math.prod(space)
        elif isinstance(layer, Head):
            by_weights += layer.weight.size
        elif isinstance(layer, BinaryLayer):
            written = layer.neuron or layer.residual
            assert written is not None
            name = written.name if isinstance(written, Neuron) else written.output
            by_factors += math.prod(shapes[name])
        elif isinstance(layer, Mean):
            by_factors += math.prod(shapes[layer.name])
    return by_weights, by_factors


def frame_counts(network: IntegerNetwork, program: Program) -> dict[str, int]:
    """What one frame takes by its name; the same for any frame but the first of a stream."""
    shapes = tensor_shapes(network).shape
    neurons = [n for layer in network.layers if (n := neuron_of(layer))]
    *_, run = interpret(program, np.zeros((2, *program.input_shape), np.uint8))
    assert run.events is not None
    by_weights, by_factors = multiplications(network)
    counts = {
        "bytes of the frame": math.prod(program.input_shape),
        "multiplications by weights of several bits (first layer, head)": by_weights,
        "multiplications by factors of channels": by_factors,
        "binary operations": program.total_ops,
        "neurons, each with its membrane read, updated and written": sum(
            math.prod(shapes[n.name]) for n in neurons
        ),
        "words of binary weights, read or gated": sum(r.words for r in run.column_reads),
    }
    writes = {what: len(getattr(run.events, name)) for name, what in MEMORIES.items()}
    return counts | {f"written: {what}": n for what, n in writes.items() if n}


def counts_lines(network: IntegerNetwork, program: Program, board: str) -> list[str]:
    """The counts as a section of a card."""
    rows = [f"| {what} | {n:,} |" for what, n in frame_counts(network, program).items()]
    return [
        "## Work of a frame",
        "",
        f"| on the core of `{board}` | a frame |",
        "|---|---|",
        *rows,
        "",
        "None of it depends on what the frame holds, but that words of weights are gated which "
        "meet no spike. Reads of the other memories are not counted, and energy is not told: "
        "nothing here measures it yet.",
    ]
