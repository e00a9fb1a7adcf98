"""Model cards of the shipped networks: ``python -m benchmarks.card NAME``.

All test images through the float network and the golden model, some through RTL, where every memory
write, the logits and the cycles must be equal; then a page of Markdown, and the figures beside the
weights.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import boards
import sim
import sw
from benchmarks import card_page
from benchmarks.card_page import BOARD, RTL
from benchmarks.card_streams import how_soon
from hw.arch import Config, SpikeloomError
from hw.arch.parts import PARTS, fit
from hw.common.cli import command, prog
from hw.common.files import read_json, write, write_json
from sw.api import FloatNetwork, IntegerNetwork
from sw.compiler import MisfitError
from sw.frontend.loader import SHIPPED, shipped
from sw.host.samples import count

BATCH = 500  #: Images at a time.
FIRST = 500  #: Test images whose errors are noted, so that a test can run just those.
#: Fields that the card tells, whatever the family.
TOLD = (
    "model",
    "height",
    "width",
    "steps",
    "data",
    "split",
    "trained_on",
    "validation_images",
    "validation_accuracy",
    "test_images",
    "test_accuracy",
    "test_wrong",
    "command",
    "seconds",
    "seed",
    "torch",
)
NEW = ("integer_test_accuracy", "integer_test_wrong", "equal_predictions", "first_500_wrong")


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Predictions of both networks on all test images."""

    labels: np.ndarray
    float_predictions: np.ndarray
    integer_predictions: np.ndarray

    def wrong(self, predictions: np.ndarray) -> int:
        """Number of images that are predicted wrongly."""
        return int((predictions != self.labels[: len(predictions)]).sum())

    @property
    def notes(self) -> dict[str, Any]:
        """Fields of the JSON beside the weights."""
        wrong = self.wrong(self.integer_predictions)
        equal = float((self.float_predictions == self.integer_predictions).mean())
        first = self.wrong(self.integer_predictions[:FIRST])
        return dict(zip(NEW, (1 - wrong / len(self.labels), wrong, equal, first), strict=True))


def measure(
    net: FloatNetwork,
    network: IntegerNetwork,
    images: np.ndarray,
    labels: np.ndarray,
    lengths: np.ndarray,
) -> Accuracy:
    """Run both networks on all images, with a progress bar; on sequences where those are such."""
    from tqdm import tqdm

    if network.stream:
        results = [each.run_sequences(images, lengths).predictions for each in (net, network)]
        return Accuracy(labels=labels, float_predictions=results[0], integer_predictions=results[1])
    found: list[list[np.ndarray]] = [[], []]
    for start in tqdm(range(0, len(images), BATCH), desc=net.name, unit="batch", disable=None):
        part = images[start : start + BATCH]
        found[0].append(net.run(part).predictions)
        found[1].append(network.run(part).predictions)
    return Accuracy(
        labels=labels,
        float_predictions=np.concatenate(found[0]),
        integer_predictions=np.concatenate(found[1]),
    )


def simulate(
    network: IntegerNetwork, config: Config, images: np.ndarray, lengths: np.ndarray
) -> int:
    """Run ``images`` on RTL; the number of memory writes, all of them equal.

    Sequences run each as a stream of its own.
    """
    program, writes = network.compile(config), 0
    runs = [f[:n] for f, n in zip(images, lengths, strict=True)] if network.stream else [images]
    for each in runs:
        got = sim.run(program, each, check=True, network=network)
        if got.mismatches:
            raise SpikeloomError(
                f"{network.name}: RTL differs: {got.mismatches[0]}; please report it"
            )
        writes += got.writes
    return writes


def _fields(name: str) -> dict[str, Any]:
    """The JSON beside a shipped network's weights, which says how it was trained."""
    beside = SHIPPED / f"{name}.json"
    cure = "copy the file that sw.train wrote beside the weights"
    fields = read_json(beside, cure)
    if not isinstance(fields, dict):
        raise SpikeloomError(f"{beside}: holds no fields; {cure}")
    if missing := [key for key in TOLD if key not in fields]:
        raise SpikeloomError(
            f"{beside}: {', '.join(missing)} missing, and the card tells them; {cure}"
        )
    return fields


def _core(network: IntegerNetwork, board: str | None) -> tuple[str, Config]:
    """Name and core for RTL: of ``board``, else of what holds the network.

    That is a part, BOARD, or a core with a memory outside.
    """
    if board is None:
        for part in PARTS.values():
            config = part.config
            if fit(config, part).faults:
                continue
            try:
                network.compile(config)
            except SpikeloomError:
                continue  # too large for that one
            return f"the {part.title}", config
        try:
            network.compile(boards.get(BOARD).config)
        except MisfitError:
            return card_page.outside_core(network)
    board = BOARD if board is None else board
    return board, boards.get(board).config


def make(
    name: str, out: Path, rtl: int, data_dir: Path | None = None, board: str | None = None
) -> Path:
    """Measure a shipped network, write its card and the figures beside its weights."""
    if name not in shipped():
        raise SpikeloomError(
            f"No shipped network is called {name!r}; there are {', '.join(shipped())}"
        )
    from sw.data import load

    try:
        import torch

        torch.set_num_threads(1)
    except ModuleNotFoundError as error:
        raise SpikeloomError(
            "Float accuracy needs torch, which is not installed: run pip install -e '.[train]'"
        ) from error
    fields = _fields(name)
    net = sw.load(name)
    network = net.lower()
    data = load(fields["data"], fields["height"], data_dir)
    core, config = _core(network, board)
    few = data.test_images[:rtl]
    writes = simulate(network, config, few, data.test_lengths[:rtl])
    found = measure(net, network, data.test_images, data.test_labels, data.test_lengths)
    fields |= found.notes
    if network.stream:
        fields |= how_soon(network, data.test_images, data.test_lengths, data.test_labels)
    wrong = found.wrong(found.float_predictions)
    if abs(wrong - fields["test_wrong"]) > max(2, math.ceil(len(data.test_labels) / 2000)):
        raise SpikeloomError(
            f"{name}: {wrong} of {len(data.test_labels)} test images are wrong, its JSON says "
            f"{fields['test_wrong']}; weights and JSON do not belong together, train it again"
        )
    if wrong != fields["test_wrong"]:
        print(
            f"note: {name}: as floats {wrong} images are wrong here, {fields['test_wrong']} where "
            "it was trained; the card tells the latter",
            file=sys.stderr,
        )
    text = card_page.card(name, fields, net, network, (core, len(few), writes), board)
    write_json(SHIPPED / f"{name}.json", fields)
    return write(out / f"{name}.md", text)


@command("interrupted; cards that are whole are written")
def main(argv: list[str] | None = None) -> int:
    """Run the command line; 0, 1 for a mistake or a mismatch, 2 for wrong usage."""
    p = argparse.ArgumentParser(
        prog=prog("benchmarks.card"),
        description="Measure shipped networks on all test images and on RTL; write their cards.",
    )
    p.add_argument("names", metavar="NAME", nargs="*", help=f"of: {', '.join(shipped())}")
    p.add_argument("--all", action="store_true", help="all shipped networks")
    p.add_argument(
        "--rtl",
        type=count,
        metavar="N",
        default=RTL,
        help="test images or sequences on RTL (default: %(default)s)",
    )
    p.add_argument(
        "--board",
        metavar="NAME",
        help="board whose core runs on RTL (default: the part's core where the network "
        f"fits one, else {BOARD})",
    )
    p.add_argument("--out", type=Path, default=Path("docs/models"), help="default: %(default)s")
    p.add_argument("--data-dir", type=Path, help="folder that holds the data set's files")
    args = p.parse_args(argv)
    names = shipped() if args.all else args.names
    if not names:
        p.error("which network? Name one or more, or give --all")
    for name in names:
        page = make(name, args.out, args.rtl, args.data_dir, args.board)
        print(f"wrote {page} and {SHIPPED / name}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
