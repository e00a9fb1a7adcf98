"""``python -m sim.run MODEL``: inferences of a network on RTL, with a waveform if wanted."""

import argparse
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.arch import Config, SpikeloomError
from hw.common.cli import command
from sim.simulate import Simulated, run, wave_kind
from sw.compiler import Program, compile_network, fit_config
from sw.compiler.__main__ import parse_config, read_network
from sw.data import load
from sw.host.image import KINDS, STILL, read_image, test_split
from sw.network import IntegerNetwork

TOLD = 20  #: Wrong images that are named.


@dataclass(frozen=True, kw_only=True)
class Images:
    """What runs: pixels, and where they are from."""

    pixels: np.ndarray  #: uint8 (B, ...).
    names: tuple[str, ...]
    labels: tuple[int, ...] = ()  #: Where known.

    @property
    def title(self) -> str:
        """Name of the one image, or of the first and the last."""
        first, *more = self.names
        return f"images {first} to {more[-1]}" if more else f"image {first}"


def count(text: str) -> int:
    """Return a number of images, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of images; give a whole number from 1, such as 20"
        )
    return int(text)


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m sim.run",
        description="Run one inference, or several, on the RTL of a core and compare every memory "
        "write with the interpreter, the logits with the golden model, the cycles with the "
        "forecast.",
    )
    p.add_argument("model", metavar="MODEL",
                   help="a shipped network's name, a model file, an integer network, or a "
                   "compiled program (.npz)")
    where = p.add_mutually_exclusive_group()
    where.add_argument("--board", metavar="NAME", help="take the core of this board")
    where.add_argument("--config", metavar="K=V,...", default="",
                       help="core configuration, e.g. rows=8,width=64; the rest as by default")
    p.add_argument("--network", metavar="NETWORK",
                   help="the network that a compiled program was made from, for the comparison "
                   "with its golden model: a name, model file or integer network")
    p.add_argument("--fit", action="store_true",
                   help="make the memories as deep as the network needs")
    p.add_argument("--stream", action="store_true",
                   help="one call per step, membranes in memory; the image is the first step")
    which = p.add_mutually_exclusive_group()
    which.add_argument("--image", metavar="IMAGE",
                       help=f"{KINDS}, or a number N for image N of the network's own data set "
                       "(default: its image 0 where it is there, else noise)")
    which.add_argument("--images", metavar="N", type=count,
                       help="the first N test images of the network's own data set")
    p.add_argument("--wave", metavar="FILE", help="write a waveform, .vcd or .fst")
    return p


def _is_program(path: str) -> bool:
    """Whether a file is a compiled program, by the names of its members."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {"words.npy", "columns.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def _program(args: argparse.Namespace) -> tuple[Program, IntegerNetwork | None]:
    """The program, and its network where that is known."""
    if _is_program(args.model):
        if args.board or args.config or args.fit:
            raise SpikeloomError(
                f"{args.model} is a compiled program and has its core with it; leave out "
                "--board, --config and --fit, or give the network"
            )
        program = Program.load(args.model)
        if args.network is None:
            return program, None
        return program, read_network(args.network, args.stream or program.stream)
    if args.network is not None:
        raise SpikeloomError(
            f"--network is for a compiled program, and {args.model} is none: it is the network; "
            "leave the option out"
        )
    config = Config.for_board(args.board) if args.board else parse_config(args.config)
    network = read_network(args.model, args.stream)
    return compile_network(network, fit_config(network, config) if args.fit else config), network


def _data(shape: tuple[int, ...], data: str) -> str:
    """The network's own data set: ``data``, or the digits where it does not say and reads such."""
    if data in STILL:
        return data
    digits = len(shape) == 3 and shape[0] == 1 and shape[1] == shape[2] and not shape[1] % 8
    return "digits" if digits else ""


def _labels(data: str, shape: tuple[int, ...], classes: int) -> np.ndarray | None:
    """The labels of a data set's test split, if the network tells as many classes."""
    found = load(data, shape[-1])
    return found.test_labels if len(found.classes) == classes else None


def _image(source: str | None, program: Program, data: str) -> Images:
    """The image to run; ``data`` is the network's own data set, or ""."""
    shape = program.input_shape
    if source is None and data:
        try:
            return _image(f"{data}:0", program, data)
        except SpikeloomError as error:
            print(f"note: noise instead of an image: {error}", file=sys.stderr)
    if source is None:
        noise = np.random.default_rng(0).integers(0, 256, (1, *shape), dtype=np.uint8)
        return Images(pixels=noise, names=("noise",))
    if source.isdecimal() and not data:
        raise SpikeloomError(
            f"image {source}: the network names no data set of still images; give the image as "
            f"{KINDS}"
        )
    name = f"{data}:{source}" if source.isdecimal() else source
    pixels = read_image(name, shape)[None]
    origin, _, index = name.partition(":")
    labels = _labels(origin, shape, program.classes) if origin in STILL else None
    known = () if labels is None else (int(labels[int(index)]),)
    return Images(pixels=pixels, names=(name,), labels=known)


def _images(count: int, program: Program, data: str) -> Images:
    """The first ``count`` test images."""
    if not data:
        raise SpikeloomError(
            "--images: the network names no data set of still images; give one image by --image"
        )
    images = test_split(data, program.input_shape)
    if not 1 <= count <= len(images):
        raise SpikeloomError(
            f"--images is {count}, wanted 1 to {len(images)}, the test images of {data}"
        )
    labels = _labels(data, program.input_shape, program.classes)
    return Images(
        pixels=images[:count],
        names=tuple(f"{data}:{n}" for n in range(count)),
        labels=() if labels is None else tuple(labels[:count].tolist()),
    )


def _accuracy(images: Images, predictions: list[int]) -> list[str]:
    """Labels and how many predictions are right."""
    pairs = zip(images.names, images.labels, predictions, strict=True)
    wrong = [f"{name} (label {a}, class {b})" for name, a, b in pairs if a != b]
    total = len(predictions)
    right = total - len(wrong)
    more = f" and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
    told = f"; wrong: {', '.join(wrong[:TOLD])}{more}" if wrong else ""
    return [
        f"labels  {' '.join(map(str, images.labels))}",
        f"right {right} of {total} ({100 * right / total:.2f} %){told}",
    ]


def report(program: Program, images: Images, result: Simulated) -> str:
    """Return what checked inferences gave, as text."""
    c = program.config
    many = len(result.cycles) > 1
    predictions = result.predictions.tolist()
    cycles = " ".join(map(str, sorted(set(result.cycles.tolist()))))
    lines = [f"{program.name} on {c.rows} rows x {c.cols} columns x {c.width} bits, {images.title}"]
    if many:
        lines.append(f"classes {' '.join(map(str, predictions))}")
        lines += _accuracy(images, predictions) if images.labels else []
    else:
        label = ""
        if images.labels:
            (known,) = images.labels
            label = f", label {known}: {'right' if known == predictions[0] else 'WRONG'}"
        lines += [
            f"class {predictions[0]}{label}",
            f"logits {' '.join(f'{v:.4f}' for v in result.logits[0] * result.scale)}",
            f"integers {' '.join(map(str, result.logits[0].tolist()))}",
        ]
    each = " for each image" * many
    lines.append(f"cycles {cycles} simulated, {program.cycles} forecast{each}")
    golden = "golden model" in result.compared
    if result.mismatches:
        lines += [
            f"FIRST MISMATCH: {result.mismatches[0]}",
            f"{len(result.mismatches)} of {len(result.cycles)} images differ",
        ]
    else:
        models = "the interpreter and the golden model" if golden else "the interpreter"
        lines.append(
            f"no mismatch: all {result.writes} memory writes are the interpreter's, logits those "
            f"of {models}, cycles the forecast's"
        )
    if not golden:
        lines.append(
            "not compared with the golden model, which needs the network that the program was "
            "compiled from: give it by --network"
        )
    return "\n".join(lines)


@command()
def main(argv: list[str] | None = None) -> int:
    """Run the command line; 0, 1 for a mistake or a mismatch, 2 for wrong usage."""
    args = _parser().parse_args(argv)
    if args.wave:
        wave_kind(Path(args.wave).absolute())
    program, network = _program(args)
    data = _data(program.input_shape, str(network.meta.get("data", "")) if network else "")
    if args.images is None:
        images = _image(args.image, program, data)
    else:
        images = _images(args.images, program, data)
    result = run(program, images.pixels, wave=args.wave, check=True, network=network)
    print(report(program, images, result))
    if args.wave:
        print(f"wrote {args.wave}, the waveform")
    return 1 if result.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
