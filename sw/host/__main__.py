"""Command line of `sw.host`: a device on a serial port."""

import argparse
import sys
from typing import Any

import numpy as np

from hw.arch import link
from hw.arch.config import Config
from hw.common.errors import SpikeloomError
from sw.compiler.program import Program
from sw.frontend.loader import DEFAULT
from sw.host.device import Device, open_port
from sw.host.image import KINDS, read_frames, read_image


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m sw.host", description="Run images on a Spikeloom device at a serial port."
    )
    p.add_argument("--port", required=True, help="serial port, such as /dev/ttyUSB1 or COM3")
    p.add_argument("--baud", type=int, default=link.BAUD, help="bits per second (%(default)s)")
    sub = p.add_subparsers(dest="command", required=True)
    sub.add_parser("identify", help="print what the device is")
    load = sub.add_parser("load", help="write a compiled program into the device")
    load.add_argument("program", metavar="PROGRAM", help="file that sw.compiler wrote")
    infer = sub.add_parser("infer", help="run one image and print its logits")
    infer.add_argument("image", metavar="IMAGE", help=f"{KINDS} (test split)")
    infer.add_argument(
        "--program", help="file that sw.compiler wrote; if not given, the shipped network "
        f"{DEFAULT} is compiled for the device's configuration")
    stream = sub.add_parser(
        "stream", help="run frames one after the other, membranes kept from step to step")
    stream.add_argument(
        "frames", metavar="FRAMES", help=".npy of bytes, shape (frames, channels, height, width)")
    stream.add_argument(
        "--program", required=True, help="stream program that sw.compiler wrote")
    for command in (infer, stream):
        command.add_argument(
            "--loaded", action="store_true",
            help="the device holds the program already, from its bitstream or an earlier load")
    return p


def _default_program(config: Config) -> Program:
    import sw

    return sw.load(DEFAULT).lower().compile(config)


def _load(device: Device, program: Any) -> None:
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        device.load(program)
        return
    with tqdm(total=len(program.load_stream()), unit="word", desc=f"load {program.name}") as bar:
        device.load(program, bar.update)


def _stream(device: Device, program: Program, frames: np.ndarray) -> None:
    """Print the class of each step, and of the mean of all steps so far."""
    total = np.zeros(program.classes, np.int64)
    for n, frame in enumerate(frames, 1):
        answer = device.infer(program, frame)
        total += answer.logits
        print(f"step {n}: class {answer.prediction}, so far {int(total.argmax())}, "
              f"{answer.cycles} cycles", flush=True)


def run(arguments: list[str]) -> None:
    """Do what the command line says; SpikeloomError for a user's mistake."""
    args = _parser().parse_args(arguments)
    if args.baud <= 0:
        raise SpikeloomError(f"--baud is {args.baud}, wanted a positive number such as {link.BAUD}")
    path = getattr(args, "program", None)
    program = Program.load(path) if path else None  # a bad file is told before the port is opened
    device = open_port(args.port, args.baud)
    identity = device.identity
    if args.command == "identify":
        print(f"link version {identity.version}, digest {identity.digest:#010x}, "
              f"clock {identity.clock / 1e6:g} MHz")
        print("\n".join(f"{name:12} {n}" for name, n in identity.config.as_dict().items()))
        return
    if program is None:
        program = _default_program(identity.config)
    device.check(program)
    if args.command == "load":
        _load(device, program)
        return
    if args.command == "stream":
        frames = read_frames(args.frames, program)
        if args.loaded:
            device.restart()
        else:
            _load(device, program)
        _stream(device, program, frames)
        return
    image = read_image(args.image, program.input_shape)
    if not args.loaded:
        _load(device, program)
    answer = device.infer(program, image)
    print(f"class {answer.prediction}")
    print("logits " + " ".join(f"{v * answer.scale:.4f}" for v in answer.logits))
    print(f"{answer.cycles} cycles, {answer.seconds * 1e3:.3f} ms at "
          f"{identity.clock / 1e6:g} MHz")


def main() -> int:
    """Run the command line; return the exit status."""
    try:
        run(sys.argv[1:])
    except SpikeloomError as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
