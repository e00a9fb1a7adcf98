"""``python -m sim.run MODEL``: one inference of a network on RTL, with a waveform if wanted."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hw.arch import Config, SpikeloomError
from sim.simulate import Simulated, run, wave_kind
from sim.testbench import SimulationError
from sw.compiler import Program, compile_network, fit_config
from sw.compiler.__main__ import parse_config, read_network
from sw.host.image import KINDS, read_image


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m sim.run",
        description="Run one inference on the RTL of a core and compare every memory write, the "
        "logits and the cycles with the interpreter.",
    )
    p.add_argument("model", metavar="MODEL",
                   help="a shipped network's name, a model file, an integer network, or a "
                   "compiled program (.npz)")
    where = p.add_mutually_exclusive_group()
    where.add_argument("--board", metavar="NAME", help="take the core of this board")
    where.add_argument("--config", metavar="K=V,...", default="",
                       help="core configuration, e.g. rows=8,width=64; the rest as by default")
    p.add_argument("--fit", action="store_true",
                   help="make the memories as deep as the network needs")
    p.add_argument("--stream", action="store_true",
                   help="one call per step, membranes in memory; the image is the first step")
    p.add_argument("--image", metavar="IMAGE",
                   help=f"{KINDS}, or a number N for digits:N (default: digits:0 where the network "
                   "reads digits, else noise)")
    p.add_argument("--wave", metavar="FILE", help="write a waveform, .vcd or .fst")
    return p


def _program(args: argparse.Namespace) -> Program:
    if args.model.endswith(".npz") and Path(args.model).is_file():
        try:
            program = Program.load(args.model)
        except SpikeloomError as error:
            if "is not a whole Spikeloom program" not in str(error):
                raise
        else:
            if args.board or args.config or args.fit:
                raise SpikeloomError(
                    f"{args.model} is a compiled program and has its core with it; leave out "
                    "--board, --config and --fit, or give the network"
                )
            return program
    config = Config.for_board(args.board) if args.board else parse_config(args.config)
    network = read_network(args.model, args.stream)
    return compile_network(network, fit_config(network, config) if args.fit else config)


def _image(source: str | None, shape: tuple[int, ...]) -> tuple[str, np.ndarray]:
    if source is None:
        digits = len(shape) == 3 and shape[0] == 1 and shape[1] == shape[2] and not shape[1] % 8
        if not digits:
            return "noise", np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        source = "0"
    name = f"digits:{source}" if source.isdecimal() else source
    return name, read_image(name, shape)


def report(program: Program, image: str, result: Simulated) -> str:
    """Return what a checked inference gave, as text."""
    logits = " ".join(f"{v:.4f}" for v in result.logits[0] * result.scale)
    c = program.config
    lines = [
        f"{program.name} on {c.rows} rows x {c.cols} columns x {c.width} bits, image {image}",
        f"class {result.predictions[0]}",
        f"logits {logits}",
        f"integers {' '.join(map(str, result.logits[0].tolist()))}",
        f"cycles {result.cycles[0]} simulated, {program.cycles} forecast",
    ]
    if result.mismatches:
        lines.append(f"FIRST MISMATCH: {result.mismatches[0]}")
    else:
        lines.append(f"no mismatch: all {result.writes} memory writes, logits and cycles are equal")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, 1 for a mistake or a mismatch, 2 for wrong usage."""
    args = _parser().parse_args(argv)
    try:
        if args.wave:
            wave_kind(Path(args.wave).absolute())
        program = _program(args)
        name, image = _image(args.image, program.input_shape)
        result = run(program, image[None], wave=args.wave, check=True)
    except SpikeloomError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except SimulationError as error:
        print(f"simulation failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(report(program, name, result))
    if args.wave:
        print(f"waveform {args.wave}")
    return 1 if result.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
