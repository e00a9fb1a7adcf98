"""The page of a shipped network, made of its figures: ``benchmarks.card`` measures them."""

import itertools
import json
from typing import Any

import boards
from benchmarks.card_streams import counts_lines, soon_lines
from hw.arch import Config, SpikeloomError
from hw.arch.parts import PARTS, fit
from sw import graph as g
from sw.api import IntegerNetwork
from sw.compiler import MisfitError, fit_config

RTL = 20  #: Test images on RTL, unless told otherwise.
BOARD = "arty_a7"  #: Whose core runs on RTL, unless the network fits a part.
#: Board and settings of a core for networks that no board's core holds.
OUTSIDE = ("ulx3s", "block_depth=256,outside=8")


def weights(net: g.FloatNetwork) -> tuple[int, int]:
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
    of = "cycles of a frame" if network.stream else "cycles"
    rows = [f"| board | {of} | latency | share of peak |", "|---|---|---|---|"]
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


def outside_core(network: IntegerNetwork) -> tuple[str, Config]:
    """Name and core that holds a network part of whose weights lie outside the chip."""
    name, settings = OUTSIDE
    core = fit_config(network, boards.get(name).config.changed(settings))
    return f"{name} with {settings}", core


def outside_lines(network: IntegerNetwork) -> list[str]:
    """What it takes with a memory outside, as sentences; none where a board's core holds it."""
    for name in boards.NAMES:
        try:
            network.compile(boards.get(name).config)
        except MisfitError:
            continue
        return []
    name, settings = OUTSIDE
    program, clock = network.compile(outside_core(network)[1]), boards.get(name).core_clock
    return [
        "",
        f"No board's core holds it by itself. With {4 * len(program.outside):,} bytes of weights "
        f"in the memory outside of `{name}` it takes {program.cycles:,} cycles, "
        f"{1e3 * program.cycles / clock:.3f} ms at {clock / 1e6:g} MHz; "
        f"{program.run_computing(1):,} of them compute, the others are waits for a memory that "
        "keeps to the contract of simulations ([outside](../architecture/outside.md)).",
        "",
        "```sh",
        f"python -m hw.build --board {name} --model {network.name} --config {settings} --fit",
        "```",
    ]


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


def stream_lines(network: IntegerNetwork) -> list[str]:
    """What only a stream has: its first frame, and the work of every other."""
    if not network.stream:
        return []
    program = network.compile(boards.get(BOARD).config)
    more = program.first_cycles - program.cycles
    return [
        "",
        f"The first frame of a stream takes {more} cycles more on `{BOARD}`, in which the neurons' "
        "table is loaded.",
        "",
        *counts_lines(network, program, BOARD),
    ]


def duration(seconds: float) -> str:
    """Minutes, or seconds where those are few."""
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


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
    if fields.get("stream"):
        taps = f" of {fields['kernel']}x{fields['kernel']} convolutions" * (form == "VGG")
        frame = f"{fields['channels']}x{fields['height']}x{fields['width']}"
        return (
            f"A Q-SNN for sequences, {form} net{taps}: a call reads a frame of {frame} bytes, and "
            f"membranes of {fields['membrane_bits']} bits stay in memory from call to call; "
            f"{widths} channels, 1-bit weights. The answer is the class of the largest sum of "
            "logits over the frames so far."
        )
    return (
        f"A Q-SNN, {form} net of {size}: {widths} channels; 1-bit weights, membranes of "
        f"{fields['membrane_bits']} bits."
    )


def card(
    name: str,
    fields: dict[str, Any],
    net: g.FloatNetwork,
    network: IntegerNetwork,
    rtl: tuple[str, int, int],
    board: str | None = None,
) -> str:
    """The page; ``rtl`` is the core's name, the images run on it, and their memory writes.

    ``board`` is the board that was asked for, if one was.
    """
    again = f"python -m benchmarks.card {name}" + f" --board {board}" * (board is not None)
    if rtl[1] != min(RTL, fields["test_images"]):
        again += f" --rtl {rtl[1]}"
    n, what = fields["test_images"], "sequences" if network.stream else "images"
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
        f"`{fields['data']}`: {fields['split']}. Trained on "
        f"{fields['trained_on'].replace('images', what)}; {fields['validation_images']} {what} "
        "for validation decided whatever was to be decided"
        + (f" ({100 * held:.2f} % of them right at the end)" if held is not None else "")
        + f"; the {n} {what} of the test split were measured when all was done.",
        "",
        "## Made by",
        "",
        "```sh",
        fields["command"],
        "```",
        "",
        f"{duration(fields['seconds'])} on {place(fields)}, torch {fields['torch']}, seed "
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
        f"| on all {n} test {what} | right | wrong |",
        "|---|---|---|",
        f"| float | {100 * test:.2f} % | {fields['test_wrong']} |",
        f"| integer, which is what the chip computes | {100 * whole:.2f} % | "
        f"{fields['integer_test_wrong']} |",
        "",
        f"Difference {points:+.2f} points; {100 * fields['equal_predictions']:.2f} % of the "
        "predictions are equal.",
        "",
        *([*soon_lines(fields), ""] if network.stream else []),
        "## Cycles and latency",
        "",
        *boards_table(network),
        *outside_lines(network),
        *parts_lines(network),
        *stream_lines(network),
        "",
        f"The first {rtl[1]} test {what} ran on RTL of the core of {rtl[0]} under Verilator"
        f"{', each as a stream' * network.stream}: all {rtl[2]:,} memory writes, the logits and "
        "the cycles were equal to the golden model and the forecast.",
        "",
        "This page and its figures:",
        "",
        "```sh",
        again,
        "```",
    ]
    return "\n".join(lines) + "\n"
