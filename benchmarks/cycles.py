"""Cycles of an inference and share of the array's peak: ``python -m benchmarks.cycles``.

Share of peak is (binary operations of binary layers and attention) / (cycles * R * C * W), true
sizes without padding: taps outside the image are no operations. Cycles are the compiler's forecast;
``--simulate`` also runs the CIFAR-10 size on RTL (minutes), where every memory write, the logits
and the cycles must equal it.
"""

import argparse
import sys
import time

import boards
import sim
import sw
from benchmarks.floor import Floor, plain
from hw.arch import Config
from hw.common.cli import command
from sw.api import IntegerNetwork
from sw.compiler import Program, fit_config
from sw.testing import random_images, random_network, random_residual_network

#: Most cycles, and most milliseconds on the Arty A7-35T, of an image of a shipped network.
SHIPPED = {
    "mnist-bestformer": (25_200, 0.315),
    "mnist-qsnn": (15_950, 0.20),
    "mnist-tiny": (1_540, 0.0195),
    "digits": (15_700, None),
    "digits-qsnn": (5_200, None),
}
LARGE = Config(rows=8, cols=16, width=32)
CIFAR, RESNET = Floor(bound=970_000), Floor(bound=1_120_000)  #: Cycles on LARGE.


def mnist() -> IntegerNetwork:
    """Return a network of MNIST's size with random weights."""
    return random_network(
        0,
        height=28,
        width=28,
        channels=1,
        dim=64,
        depth=2,
        heads=4,
        mlp_ratio=4,
        steps=4,
        order="qk",
        similarity="and",
        variant="cifar",
        classes=10,
    )


def cifar() -> IntegerNetwork:
    """Return a network of the published CIFAR-10 size, 4-384, with random weights."""
    return random_network(
        0,
        height=32,
        width=32,
        channels=3,
        dim=384,
        depth=4,
        heads=8,
        mlp_ratio=4,
        steps=4,
        order="qk",
        similarity="and",
        variant="cifar",
        classes=10,
    )


def resnet19() -> IntegerNetwork:
    """Return a network of the published Q-SNN ResNet-19's size, T 2, with random weights."""
    return random_residual_network(
        0,
        height=32,
        width=32,
        channels=3,
        widths=(128, 256, 512),
        blocks=(3, 3, 2),
        bits=8,
        steps=2,
        classes=10,
    )


def show(title: str, program: Program, limit: Floor | None = None) -> None:
    """Print cycles and share of peak of one program."""
    c = program.config
    print(f"{title}: {c.rows} x {c.cols} x {c.width} bits")
    line = limit.line if limit else plain
    print(line("cycles, forecast", program.cycles))
    print(plain("share of peak", 100 * program.share, "%", 1))


def show_shipped(name: str) -> None:
    """Print cycles, latency and share of peak of a shipped network on the Arty A7-35T."""
    board = boards.get("arty_a7")
    program = sw.load(name).lower().compile(board.config)
    cycles, latency = SHIPPED[name]
    show(f"{name}, Arty A7-35T", program, Floor(bound=cycles))
    spent = 1e3 * program.cycles / board.core_clock
    line = Floor(bound=latency, unit="ms", digits=4).line if latency else None
    what = f"latency at {board.core_clock / 1e6:g} MHz"
    print(line(what, spent) if line else plain(what, spent, "ms", 4))


def simulate(network: IntegerNetwork, program: Program) -> bool:
    """Run one random image on RTL and print what came out; whether it was exact."""
    began = time.perf_counter()
    images = random_images(network, 1)
    got = sim.run(program, images, check=True)
    exact = not got.mismatches and got.logits.tolist() == network.run(images).logits.tolist()
    print(CIFAR.line("cycles, simulated", int(got.cycles[0])))
    if got.mismatches:
        print(f"  FIRST MISMATCH: {got.mismatches[0]}")
    text = f"{got.writes:,} memory writes, logits and cycles equal the golden model and forecast"
    verdict = "PASS" if exact else "MISS"
    print(f"  {text}: {verdict} ({time.perf_counter() - began:.0f} s)", flush=True)
    return exact


@command()
def main(argv: list[str] | None = None) -> int:
    """Print the figures; 1 only where a simulation is not exact."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cycles", description=__doc__)
    parser.add_argument("--simulate", action="store_true", help="run the CIFAR-10 size on RTL")
    args = parser.parse_args(argv)
    for name in SHIPPED:
        show_shipped(name)
    arty, ulx3s = boards.get("arty_a7").config, boards.get("ulx3s").config
    large, step = mnist(), sw.load("digits-qsnn").lower(stream=True)
    show("MNIST size, 28x28x1, T 4, Arty A7-35T", large.compile(arty))
    show("MNIST size, 28x28x1, T 4, ULX3S", large.compile(ulx3s))
    show("digits-qsnn, one step of a stream, Arty A7-35T", step.compile(arty))
    network = resnet19()
    program = network.compile(fit_config(network, LARGE))
    show("Q-SNN ResNet-19, 32x32x3, T 2, memories as deep as needed", program, RESNET)
    network = cifar()
    program = network.compile(fit_config(network, LARGE))
    show("CIFAR-10 4-384, 32x32x3, memories as deep as needed", program, CIFAR)
    return 0 if not args.simulate or simulate(network, program) else 1


if __name__ == "__main__":
    sys.exit(main())
