"""``python -m sim.run MODEL``: inferences of a network on RTL, with a waveform if wanted."""

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
from sw.host.image import KINDS, STILL, read_image, test_split


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m sim.run",
        description="Run one inference, or several, on the RTL of a core and compare every memory "
        "write, the logits and the cycles with the interpreter.",
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
    which = p.add_mutually_exclusive_group()
    which.add_argument("--image", metavar="IMAGE",
                       help=f"{KINDS}, or a number N for image N of the network's own data set "
                       "(default: its image 0 where it is there, else noise)")
    which.add_argument("--images", metavar="N", type=int,
                       help="the first N test images of the network's own data set")
    p.add_argument("--wave", metavar="FILE", help="write a waveform, .vcd or .fst")
    return p


def _program(args: argparse.Namespace) -> tuple[Program, str]:
    """The program, and the name of the network's data set where that is known."""
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
            return program, ""
    config = Config.for_board(args.board) if args.board else parse_config(args.config)
    network = read_network(args.model, args.stream)
    program = compile_network(network, fit_config(network, config) if args.fit else config)
    return program, str(network.meta.get("data", ""))


def _data(shape: tuple[int, ...], data: str) -> str:
    """The network's own data set: ``data``, or the digits where it does not say and reads such."""
    if data in STILL:
        return data
    digits = len(shape) == 3 and shape[0] == 1 and shape[1] == shape[2] and not shape[1] % 8
    return "digits" if digits else ""


def _image(source: str | None, shape: tuple[int, ...], data: str) -> tuple[str, np.ndarray]:
    """Name and pixels of the image; ``data`` is the network's own data set, or ""."""
    if source is None and data:
        try:
            return f"{data}:0", read_image(f"{data}:0", shape)
        except SpikeloomError as error:
            print(f"note: noise instead of an image: {error}", file=sys.stderr)
    if source is None:
        return "noise", np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    if source.isdecimal() and not data:
        raise SpikeloomError(
            f"image {source}: the network names no data set of still images; give the image as "
            f"{KINDS}"
        )
    name = f"{data}:{source}" if source.isdecimal() else source
    return name, read_image(name, shape)


def _images(count: int, shape: tuple[int, ...], data: str) -> tuple[str, np.ndarray]:
    """Names and pixels of the first ``count`` test images."""
    if not data:
        raise SpikeloomError(
            "--images: the network names no data set of still images; give one image by --image"
        )
    images = test_split(data, shape)
    if not 1 <= count <= len(images):
        raise SpikeloomError(
            f"--images is {count}, wanted 1 to {len(images)}, the test images of {data}"
        )
    return f"{data}:0 to {data}:{count - 1}" if count > 1 else f"{data}:0", images[:count]


def report(program: Program, image: str, result: Simulated) -> str:
    """Return what checked inferences gave, as text."""
    c = program.config
    many = len(result.cycles) > 1
    cycles = " ".join(map(str, sorted(set(result.cycles.tolist()))))
    lines = [
        f"{program.name} on {c.rows} rows x {c.cols} columns x {c.width} bits, "
        f"image{'s' * many} {image}",
    ]
    if many:
        lines.append(f"classes {' '.join(map(str, result.predictions))}")
    else:
        lines += [
            f"class {result.predictions[0]}",
            f"logits {' '.join(f'{v:.4f}' for v in result.logits[0] * result.scale)}",
            f"integers {' '.join(map(str, result.logits[0].tolist()))}",
        ]
    each = " for each image" * many
    lines.append(f"cycles {cycles} simulated, {program.cycles} forecast{each}")
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
        program, data = _program(args)
        shape = program.input_shape
        data = _data(shape, data)
        if args.images is None:
            name, image = _image(args.image, shape, data)
            images = image[None]
        else:
            name, images = _images(args.images, shape, data)
        result = run(program, images, wave=args.wave, check=True)
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
