"""Model cards of the shipped networks: ``python -m sim.card NAME``.

All test images through the float network and the golden model, some through RTL, where every memory
write, the logits and the cycles must be equal; then a page of Markdown, and the figures beside the
weights.
"""

import argparse
import itertools
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import boards
import sim
import sw
from hw.arch import Config, SpikeloomError
from hw.arch.parts import PARTS, fit
from hw.common.cli import command
from hw.common.files import read_json, write, write_json
from sw import graph as g
from sw.api import FloatNetwork, IntegerNetwork
from sw.frontend.loader import SHIPPED, shipped
from sw.host.samples import count

BATCH = 500  #: Images at a time.
FIRST = 500  #: Test images whose errors are noted, so that a test can run just those.
RTL = 20
BOARD = "arty_a7"  #: Whose core runs on RTL, unless the network fits a part.
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
    net: FloatNetwork, network: IntegerNetwork, images: np.ndarray, labels: np.ndarray
) -> Accuracy:
    """Run both networks on all images, with a progress bar."""
    from tqdm import tqdm

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


def simulate(network: IntegerNetwork, config: Config, images: np.ndarray) -> int:
    """Run ``images`` on RTL; the number of memory writes, all of them equal."""
    program = network.compile(config)
    got = sim.run(program, images, check=True, network=network)
    if got.mismatches:
        raise SpikeloomError(f"{network.name}: RTL differs: {got.mismatches[0]}; please report it")
    return got.writes


def weights(net: FloatNetwork) -> tuple[int, int]:
    """Binary weights, and weights of more bits."""
    binary = more = 0
    for node in net.nodes:
        if isinstance(node, g.Conv) and node.binary:
            binary += node.weight.size
        elif isinstance(node, g.Conv | g.Linear):
            more += node.weight.size
    return binary, more


def _reason(error: SpikeloomError) -> str:
    """Why a network cannot be compiled for a core, on one line: the memories that are too small."""
    first, *more = (line.strip() for line in str(error).splitlines())
    return "does not fit: " + ("; ".join(more) or first)


def boards_table(network: IntegerNetwork) -> list[str]:
    """Cycles and latency on every board, as rows of Markdown."""
    rows = ["| board | cycles | latency | share of peak |", "|---|---|---|---|"]
    for name in boards.NAMES:
        board = boards.get(name)
        try:
            program = network.compile(board.config)
        except SpikeloomError as error:
            rows.append(f"| `{name}` | {_reason(error)} | | |")
            continue
        latency = 1e3 * program.cycles / board.core_clock
        rows.append(
            f"| `{name}` | {program.cycles:,} | {latency:.3f} ms at "
            f"{board.core_clock / 1e6:g} MHz | {100 * program.share:.1f} % |"
        )
    return rows


def parts_lines(network: IntegerNetwork) -> list[str]:
    """What parts' memories hold the network, as sentences."""
    lines = []
    for part in PARTS.values():
        config = part.config
        try:
            program = network.compile(config)
        except SpikeloomError:
            continue
        found = fit(config, part)
        used = ", ".join(f"{found.used[r.name]} of {r.count} {r.name}" for r in part.rams)
        call = f'hw.arch.parts.part("{part.name}").config'
        lines += [
            "",
            f"On the core that is stated for the {part.title} (`{call}`, {config.rows} x "
            f"{config.cols} x {config.width} bits) it takes {program.cycles:,} cycles, and the "
            f"memories of that core {'fit' if not found.faults else 'DO NOT FIT'}: {used}. Logic "
            "is not counted there: `python -m benchmarks.ice40` tells what it takes, which is more "
            "than that part has.",
            "",
            "```sh",
            f"python -m sw.compiler {network.name} --part {part.name}",
            "```",
        ]
    return lines


def place(fields: dict[str, Any]) -> str:
    """What the network was trained on; each process on a CPU has one thread."""
    processes, device = fields.get("processes", 1), fields.get("device", "cpu")
    what = {"cpu": ("core of a CPU", "cores of a CPU")}.get(device, (device, device))
    return f"one {what[0]}" if processes == 1 else f"{processes} {what[1]}"


def configuration(fields: dict[str, Any]) -> str:
    """Fields of the network's configuration, which stand before those of its data."""
    own = itertools.takewhile(lambda item: item[0] != "data", fields.items())
    return ", ".join(f"`{key}` {json.dumps(value)}" for key, value in own)


def kind(fields: dict[str, Any]) -> str:
    """What the network is, in a sentence."""
    size = f"{fields['height']}x{fields['width']} pixels, T {fields['steps']}"
    if fields["model"] == "bestformer":
        return (
            f"A BESTformer of {size}: D {fields['embed_dim']}, depth {fields['depth']}, "
            f"{fields['heads']} heads, hidden width {fields['mlp_ratio']} D; 1-bit weights, "
            "1-bit attention map."
        )
    widths = "/".join(map(str, fields["widths"]))
    form = {"resnet": "residual", "vgg": "VGG"}[fields["net"]]
    return (
        f"A Q-SNN, {form} net of {size}: {widths} channels; 1-bit weights, membranes of "
        f"{fields['membrane_bits']} bits."
    )


def card(
    name: str,
    fields: dict[str, Any],
    net: FloatNetwork,
    network: IntegerNetwork,
    rtl: tuple[str, int, int],
    board: str | None = None,
) -> str:
    """The page; ``rtl`` is the core's name, the images run on it, and their memory writes.

    ``board`` is the board that was asked for, if one was.
    """
    again = f"python -m sim.card {name}" + f" --board {board}" * (board is not None)
    if rtl[1] != min(RTL, fields["test_images"]):
        again += f" --rtl {rtl[1]}"
    n = fields["test_images"]
    binary, more = weights(net)
    test, whole = fields["test_accuracy"], fields["integer_test_accuracy"]
    points = 100 * (whole - test)
    held = fields["validation_accuracy"]
    lines = [
        f"# {name}",
        "",
        kind(fields),
        "",
        "## Data",
        "",
        f"`{fields['data']}`: {fields['split']}. Trained on {fields['trained_on']}; "
        f"{fields['validation_images']} images for validation decided whatever was to be decided"
        + (f" ({100 * held:.2f} % of them right at the end)" if held is not None else "")
        + f"; the {n} images of the test split were measured when all was done.",
        "",
        "## Made by",
        "",
        "```sh",
        fields["command"],
        "```",
        "",
        f"{fields['seconds'] / 60:.0f} minutes on {place(fields)}, torch {fields['torch']}, seed "
        f"{fields['seed']}.",
        "",
        "## Size",
        "",
        f"{binary:,} binary weights ({binary / 8 / 1024:.1f} KiB) and {more:,} of more bits (first "
        "layer and head), beside scales and thresholds of each channel.",
        "",
        f"Configuration: {configuration(fields)}.",
        "",
        "## Accuracy",
        "",
        f"| on all {n} test images | right | wrong |",
        "|---|---|---|",
        f"| float | {100 * test:.2f} % | {fields['test_wrong']} |",
        f"| integer, which is what the chip computes | {100 * whole:.2f} % | "
        f"{fields['integer_test_wrong']} |",
        "",
        f"Difference {points:+.2f} points; {100 * fields['equal_predictions']:.2f} % of the "
        "predictions are equal.",
        "",
        "## Cycles and latency",
        "",
        *boards_table(network),
        *parts_lines(network),
        "",
        f"The first {rtl[1]} test images ran on RTL of the core of {rtl[0]} under Verilator: all "
        f"{rtl[2]:,} memory writes, the logits and the cycles were equal to the golden model and "
        "the forecast.",
        "",
        "This page and its figures:",
        "",
        "```sh",
        again,
        "```",
    ]
    return "\n".join(lines) + "\n"


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
    """Name and core for RTL: of ``board``, else of the part that holds the network, else BOARD."""
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
    writes = simulate(network, config, few)
    found = measure(net, network, data.test_images, data.test_labels)
    fields |= found.notes
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
    text = card(name, fields, net, network, (core, len(few), writes), board)
    write_json(SHIPPED / f"{name}.json", fields)
    return write(out / f"{name}.md", text)


@command("interrupted; cards that are whole are written")
def main(argv: list[str] | None = None) -> int:
    """Run the command line; 0, 1 for a mistake or a mismatch, 2 for wrong usage."""
    p = argparse.ArgumentParser(
        prog="python -m sim.card",
        description="Measure shipped networks on all test images and on RTL; write their cards.",
    )
    p.add_argument("names", metavar="NAME", nargs="*", help=f"of: {', '.join(shipped())}")
    p.add_argument("--all", action="store_true", help="all shipped networks")
    p.add_argument(
        "--rtl",
        type=count,
        metavar="N",
        default=RTL,
        help="test images on RTL (default: %(default)s)",
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
