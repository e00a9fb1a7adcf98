"""Command line of `sw.host`: a device on a serial port."""

import argparse
import sys
import time
from typing import Any

import numpy as np

from hw.common.cli import command
from hw.common.errors import SpikeloomError
from sw.api import IntegerNetwork, read_network, read_origin
from sw.compiler import MisfitError
from sw.compiler.origin import is_program
from sw.compiler.program import Program
from sw.frontend.loader import DEFAULT, shipped
from sw.host import report
from sw.host.arguments import parser
from sw.host.device import Answer, Device
from sw.host.image import read_frames
from sw.host.port import open_port, ports
from sw.host.rate import link_seconds, load_seconds
from sw.host.samples import Images, files, first_images, noise, of_sequences, own_data
from sw.host.selftest import self_test
from sw.host.sequences import SEQUENCES, Frames, first_sequences
from sw.room import compile_told

SHOWN = 10  #: Faults of a self-test that are printed.


def main_ports() -> int:
    """Print the serial ports; the exit status."""
    found = ports()
    for port in found:
        print(f"{port.device}: {port.description}; {_asked(port)}")
    if not found:
        print("no serial port is there; python -m sim.board simulates a board, and prints its port")
    print(f"shipped networks: {', '.join(shipped())}")
    return 0


def _asked(port: Any) -> str:
    """What is at a port, if anything is asked there: ports of USB devices are."""
    if port.vid is None:
        return "not asked"
    try:
        with open_port(port.device) as device:
            return f"a Spikeloom device, clock {device.identity.clock / 1e6:g} MHz"
    except SpikeloomError as error:
        return str(error)


def _network(model: str, stream: bool = False) -> Program | IntegerNetwork:
    """The program or network that ``model`` names."""
    return Program.load(model) if is_program(model) else read_network(model, stream)


def _held(device: Device) -> tuple[Program, IntegerNetwork] | None:
    """The shipped network that the device holds."""
    for name in sorted(shipped(), key=lambda name: name != DEFAULT):
        network = read_network(name)
        try:
            program = network.compile(device.identity.config)
        except MisfitError:
            continue
        if device.holds(program):
            return program, network
    return None


def _load(device: Device, program: Program) -> None:
    words, baud = len(program.load_stream()) + len(program.outside), device.link.baud
    if len(program.outside):
        print(
            f"loading {program.name}: {words} words, {len(program.outside)} of them outside the "
            f"chip; {load_seconds(program, baud):.1f} s or more at {baud} baud",
            file=sys.stderr,
            flush=True,
        )
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        device.load(program)
        return
    with tqdm(total=words, unit="word", desc=f"load {program.name}", disable=None) as bar:
        device.load(program, bar.update)


class _Session:
    """A device with a program in it, as the options say."""

    def __init__(self, device: Device, args: argparse.Namespace, named: Any):
        self.device, self.network = device, None
        found = named
        if found is None and not args.loaded and (held := _held(device)):
            self.program, self.network = held
        else:
            found = read_network(DEFAULT) if found is None else found
            if isinstance(found, Program):
                self.program = found
            else:
                self.program = compile_told(found, device.identity.config)
                self.network = found
        device.check(self.program)
        if args.command == "selftest" and args.network is not None:
            self.network = read_origin(self.program, args.network)
        self.loads = not args.loaded

    def ready(self) -> None:
        """Load the program where the device does not hold it."""
        if self.loads and not self.device.holds(self.program):
            _load(self.device, self.program)

    @property
    def data(self) -> str:
        """The network's own data set, or an empty text."""
        told = self.network.meta.get("data") if self.network else None
        return own_data(self.program.input_shape, told)

    def images(self, number: int) -> Images:
        """Images of the network's data set, or noise."""
        program, shape = self.program, self.program.input_shape
        if data := self.data:
            try:
                return first_images(number, shape, program.classes, data).of(program)
            except SpikeloomError as error:
                print(f"note: noise instead of images: {error}", file=sys.stderr)
        return noise(number, shape)


def _info(device: Device) -> int:
    identity = device.identity
    print(
        f"link version {identity.version} at {device.link.baud} baud, digest "
        f"{identity.digest:#010x}, clock {identity.clock / 1e6:g} MHz"
    )
    print("\n".join(f"{name:12} {n}" for name, n in identity.config.as_dict().items()))
    state = device.status()
    if state.busy:
        print(f"busy: a run is at instruction word {state.pc} after {state.cycles} cycles")
        return 0
    held = _held(device)
    print(f"holds {held[0].name}" if held else "holds none of the shipped networks")
    return 0


def _infer(session: _Session, args: argparse.Namespace) -> int:
    program = session.program
    images = files(args.images, program.input_shape, program.classes).of(program)
    session.ready()
    answers = session.device.run(program, images.pixels)
    for n, answer in enumerate(answers):
        verdict = images.one(n).verdict(answer.prediction)
        many = f"{images.names[n]}: " if len(images.names) > 1 else ""
        print(f"{many}class {answer.prediction}{verdict}", flush=True)
        if not many:
            print("logits " + " ".join(f"{v * answer.scale:.4f}" for v in answer.logits))
            clock = session.device.identity.clock / 1e6
            print(f"{answer.cycles} cycles, {answer.seconds * 1e3:.3f} ms at {clock:g} MHz")
    return 0


def _answers(session: _Session, sequences: list[Frames]) -> tuple[list[Answer], list[int]]:
    """The answers to all frames, and the class of each sequence, a stream of its own."""
    answers, predictions = [], []
    for each in sequences:
        session.device.restart()
        mine = list(session.device.run(session.program, each.pixels))
        answers += mine
        predictions.append(int(np.sum([answer.logits for answer in mine], axis=0).argmax()))
    return answers, predictions


def _test(session: _Session, args: argparse.Namespace) -> int:
    program = session.program
    folder = getattr(args, "folder", None)
    sequences: list[Frames] = []
    if folder is not None:
        images = files([folder], program.input_shape, program.classes).of(program)
    elif args.command == "test" and session.data in SEQUENCES:
        sequences = first_sequences(args.images, program.input_shape, session.data)
        images = of_sequences(sequences)
    else:
        images = session.images(args.images)
    session.ready()
    began = time.monotonic()
    if sequences:
        answers, predictions = _answers(session, sequences)
    else:
        answers = list(session.device.run(program, images.pixels))
        predictions = [answer.prediction for answer in answers]
    seconds = time.monotonic() - began
    print(f"{program.name} on the device, {images.title}")
    print(f"classes {' '.join(map(str, predictions))}")
    if args.command == "test":
        print("\n".join(images.accuracy(predictions)) or "labels are not known")
        if images.labels:
            print("\n".join(report.confusion(images.labels, predictions, program.classes)))
    rate = link_seconds(program, session.device.link.baud)
    print(report.speed(answers, seconds, rate))
    print("\n".join([*report.cycles(answers), *report.layers(session.device.layers(program))]))
    return 0


def _stream(session: _Session, args: argparse.Namespace) -> int:
    """Print the class of each step, and of the mean of all steps so far."""
    program, device = session.program, session.device
    frames, sequence = read_frames(args.frames, program)
    session.ready()
    device.restart()
    total = np.zeros(program.classes, np.int64)
    for n, answer in enumerate(device.run(program, frames), 1):
        total += answer.logits
        print(
            f"step {n}: class {answer.prediction}, so far {int(total.argmax())}, "
            f"{answer.cycles} cycles",
            flush=True,
        )
    if sequence is not None:
        print(sequence.verdict(total))
    return 0


def _selftest(session: _Session, args: argparse.Namespace) -> int:
    program, network, device = session.program, session.network, session.device
    images = session.images(args.images)
    session.ready()
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


def _abort(device: Device) -> int:
    before, after = device.status(), device.abort()
    print(f"stopped after {after.cycles} cycles" if before.busy else "the core was idle")
    return 0


RUNS = {"infer": _infer, "test": _test, "bench": _test, "stream": _stream, "selftest": _selftest}


def run(arguments: list[str] | None) -> int:
    """Do what the command line says; the exit status. SpikeloomError for a user's mistake."""
    args = parser(DEFAULT).parse_args(arguments)
    if args.command == "list":
        return main_ports()
    model = getattr(args, "model", None)
    if args.command == "selftest" and model is None:
        model, args.network = args.network, None
    if args.command == "stream" and model is None:
        raise SpikeloomError("stream: name the network or the stream program by --model")
    # A bad file is told before the port is opened.
    named = _network(model, args.command == "stream") if model else None
    with open_port(args.port, args.baud) as device:
        if args.command == "info":
            return _info(device)
        if args.command == "abort":
            return _abort(device)
        if args.command == "load":
            args.loaded = False
            program = _Session(device, args, named).program
            _load(device, program)
            outside = f", {len(program.outside)} of them outside" * bool(len(program.outside))
            words = len(program.load_stream()) + len(program.outside)
            print(f"loaded {program.name}: {words} words{outside}")
            return 0
        return RUNS[args.command](_Session(device, args, named), args)


@command()
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
