"""Command line of `sw.host`: a device on a serial port."""

import argparse
import sys
from typing import Any

import numpy as np

from hw.arch import link
from hw.arch.config import Config
from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from sw.api import IntegerNetwork, load, read_network, read_origin
from sw.compiler.origin import is_program
from sw.compiler.program import Program
from sw.frontend.loader import DEFAULT
from sw.host.device import Device, open_port
from sw.host.image import KINDS, read_frames
from sw.host.samples import Images, count, first_images, noise, one_image, own_data
from sw.host.selftest import self_test

TESTED = 10  #: Images of a self-test.
SHOWN = 10  #: Its faults that are printed.


def _baud(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of bits per second; give a whole number such as {link.BAUD}"
        )
    return int(text)


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog=prog("sw.host"), description="Run images on a Spikeloom device at a serial port."
    )
    p.add_argument("--port", required=True, help="serial port, such as /dev/ttyUSB1 or COM3")
    p.add_argument("--baud", type=_baud, default=link.BAUD, help="bits per second (%(default)s)")
    sub = p.add_subparsers(dest="command", required=True)
    sub.add_parser("identify", help="print what the device is")
    load = sub.add_parser("load", help="write a compiled program into the device")
    load.add_argument("program", metavar="PROGRAM", help="file that sw.compiler wrote")
    infer = sub.add_parser("infer", help="run one image and print its logits")
    infer.add_argument("image", metavar="IMAGE", help=f"{KINDS} (test split)")
    infer.add_argument(
        "--program",
        help="file that sw.compiler wrote; if not given, the shipped network "
        f"{DEFAULT} is compiled for the device's configuration",
    )
    stream = sub.add_parser(
        "stream", help="run frames one after the other, membranes kept from step to step"
    )
    stream.add_argument(
        "frames", metavar="FRAMES", help=".npy of bytes, shape (frames, channels, height, width)"
    )
    stream.add_argument("--program", required=True, help="stream program that sw.compiler wrote")
    test = sub.add_parser(
        "selftest",
        help="run images, compare logits with the golden model and cycles with the "
        "forecast; status 1 where any differ",
    )
    test.add_argument(
        "--program",
        help="file that sw.compiler wrote; if not given, the network is compiled for "
        "the device's configuration",
    )
    test.add_argument(
        "--network",
        metavar="NETWORK",
        help="a shipped network's name, a model file or an integer "
        f"network (without --program {DEFAULT}, if not given; with it the logits are then compared "
        "with the program's interpreter alone)",
    )
    test.add_argument(
        "--images",
        metavar="N",
        type=count,
        default=TESTED,
        help="the first N test images of the network's data set, or noise where it is not there "
        "(%(default)s)",
    )
    for each in (infer, stream, test):
        each.add_argument(
            "--loaded",
            action="store_true",
            help="the device holds the program already, from its bitstream or an earlier load",
        )
    return p


def _default_program(config: Config) -> Program:
    return load(DEFAULT).lower().compile(config)


def _load(device: Device, program: Any) -> None:
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        device.load(program)
        return
    with tqdm(
        total=len(program.load_stream()), unit="word", desc=f"load {program.name}", disable=None
    ) as bar:
        device.load(program, bar.update)


def _stream(device: Device, program: Program, frames: np.ndarray) -> None:
    """Print the class of each step, and of the mean of all steps so far."""
    total = np.zeros(program.classes, np.int64)
    for n, frame in enumerate(frames, 1):
        answer = device.infer(program, frame)
        total += answer.logits
        print(
            f"step {n}: class {answer.prediction}, so far {int(total.argmax())}, "
            f"{answer.cycles} cycles",
            flush=True,
        )


def _samples(number: int, program: Program, network: IntegerNetwork | None) -> Images:
    """Images for a self-test: of the network's data set, or noise."""
    shape, said = program.input_shape, network.meta.get("data") if network else None
    data = own_data(shape, said)
    if not data:
        return noise(number, shape)
    try:
        return first_images(number, shape, program.classes, data)
    except SpikeloomError as error:
        print(f"note: noise instead of images: {error}", file=sys.stderr)
        return noise(number, shape)


def _selftest(device: Device, args: argparse.Namespace, program: Program | None) -> int:
    """Test a device; the exit status."""
    network = None
    if program is None:
        if args.network and is_program(args.network):
            raise SpikeloomError(f"{args.network} is a compiled program; give it by --program")
        network = read_network(args.network or DEFAULT)
        program = network.compile(device.identity.config)
    elif args.network is not None:
        network = read_origin(program, args.network)
    device.check(program)
    images = _samples(args.images, program, network).of(program)
    if not args.loaded:
        _load(device, program)
    found = self_test(device, program, images.pixels, network, images.names)
    total = len(found.answers)
    print(f"{program.name} on the device, {images.title}")
    print(f"classes {' '.join(map(str, found.predictions))}")
    print("\n".join(images.accuracy(found.predictions)) or "labels are not known")
    cycles = " ".join(map(str, sorted({answer.cycles for answer in found.answers})))
    print(f"cycles {cycles}, {program.cycles} forecast for each image")
    for fault in found.faults[:SHOWN]:
        print(f"DIFFERENT: {fault}")
    if found.faults:
        print(
            f"FAILED: {len(found.faults)} of {total} images differ from the {found.model} or the "
            "forecast; load the program again"
            + " (without --loaded)" * args.loaded
            + ", and where that does not help, program the device anew"
        )
    else:
        print(
            f"passed: logits of all {total} images are those of the {found.model}, cycles those "
            "of the forecast"
        )
    if network is None:
        print(
            "not compared with the golden model, which needs the network that the program was "
            "compiled from: give it by --network"
        )
    return 1 if found.faults else 0


def run(arguments: list[str] | None) -> int:
    """Do what the command line says; the exit status. SpikeloomError for a user's mistake."""
    args = _parser().parse_args(arguments)
    path = getattr(args, "program", None)
    program = Program.load(path) if path else None  # a bad file is told before the port is opened
    device = open_port(args.port, args.baud)
    identity = device.identity
    if args.command == "identify":
        print(
            f"link version {identity.version}, digest {identity.digest:#010x}, "
            f"clock {identity.clock / 1e6:g} MHz"
        )
        print("\n".join(f"{name:12} {n}" for name, n in identity.config.as_dict().items()))
        return 0
    if args.command == "selftest":
        return _selftest(device, args, program)
    if program is None:
        program = _default_program(identity.config)
    device.check(program)
    if args.command == "load":
        _load(device, program)
        print(f"loaded {program.name}: {len(program.load_stream())} words")
        return 0
    if args.command == "stream":
        frames = read_frames(args.frames, program)
        if args.loaded:
            device.restart()
        else:
            _load(device, program)
        _stream(device, program, frames)
        return 0
    image = one_image(args.image, program.input_shape, program.classes, "").of(program)
    if not args.loaded:
        _load(device, program)
    answer = device.infer(program, image.pixels[0])
    print(f"class {answer.prediction}{image.verdict(answer.prediction)}")
    print("logits " + " ".join(f"{v * answer.scale:.4f}" for v in answer.logits))
    print(f"{answer.cycles} cycles, {answer.seconds * 1e3:.3f} ms at {identity.clock / 1e6:g} MHz")
    return 0


@command()
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
