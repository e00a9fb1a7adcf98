"""``python -m sim.board``: a board without a board, at a serial port of this machine."""

import argparse
import dataclasses
import sys

import boards
from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from hw.common.options import real, whole
from sim import verilator
from sim.board.running import RunningBoard
from sim.board.terminal import Terminal
from sim.line import Faults
from sw.api import read_network
from sw.compiler import Program
from sw.compiler.origin import is_program
from sw.frontend.loader import DEFAULT
from sw.host.sequences import SEQUENCES
from sw.room import compile_told


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog=prog("sim.board"),
        description="Simulate a board, UART pins included, behind a serial port of this machine: "
        "python -m sw.host --port PORT works on it as on a board. The first time for a board its "
        "simulator is compiled, which takes minutes. Ctrl-C ends it.",
    )
    p.add_argument("--board", metavar="NAME", required=True, help=f"{', '.join(boards.NAMES)}")
    p.add_argument(
        "--model",
        metavar="MODEL",
        default=DEFAULT,
        help="what its memories hold from the start: a shipped network's name, a model file, an "
        "integer network, or a compiled program (%(default)s)",
    )
    p.add_argument(
        "--stream",
        action="store_true",
        help="one call per step, membranes in memory between calls",
    )
    p.add_argument(
        "--config",
        metavar="K=V,...",
        default="",
        help="what differs from the board's core, as hw.build takes it",
    )
    p.add_argument(
        "--faults",
        metavar="RATE",
        type=real("a share of bytes", "1e-3"),
        default=0.0,
        help="share of the bytes that are broken on the line, each way (%(default)s)",
    )
    p.add_argument(
        "--seed",
        type=whole("a seed", 1, 0),
        default=0,
        help="of the faults (%(default)s)",
    )
    return p


def _program(model: str, board: boards.Board, stream: bool) -> Program:
    """The program that the board holds."""
    if not is_program(model):
        return compile_told(read_network(model, stream), board.config)
    program = Program.load(model)
    if stream and not program.stream:
        raise SpikeloomError(
            f"{model} is compiled for whole images, not for a stream; leave out --stream, or give "
            "the network"
        )
    if program.config != board.config:
        raise SpikeloomError(
            f"{model} is compiled for another core than the one of {board.name}; compile the "
            f"network with --board {board.name}, or give the network"
        )
    return program


@command(interrupted="interrupted: the port is gone")
def main(argv: list[str] | None = None) -> int:
    """Run the command line until it is interrupted; 1 for a mistake, 2 for wrong usage."""
    args = _parser().parse_args(argv)
    if not 0 <= args.faults <= 0.5:
        raise SpikeloomError(f"--faults is {args.faults:g}, wanted 0 to 0.5")
    board = boards.get(args.board)
    board = dataclasses.replace(board, config=board.config.changed(args.config))
    verilator.tools()  # what is missing is said at once
    program = _program(args.model, board, args.stream)
    print(f"{board.title} with {program.name}: the simulator is made ready", flush=True)
    there, back = Faults(args.faults, 2 * args.seed), Faults(args.faults, 2 * args.seed + 1)
    with RunningBoard(board, program) as running, Terminal(running, there, back) as terminal:
        print(f"port {terminal.port}", flush=True)
        print(f"try: {_try(program, args.model, terminal.port)}", flush=True)
        terminal.serve()
    return 0


def _try(program: Program, model: str, port: str) -> str:
    """A command that works on it."""
    if program.stream:
        own = None if is_program(model) else read_network(model, True).meta.get("data")
        frames = f"{own}:0" if own in SEQUENCES else "FRAMES.npy"
        return f"python -m sw.host --port {port} stream {frames} --model {model}"
    digits = len(program.input_shape) == 3 and program.input_shape[-1] == 16
    return f"python -m sw.host --port {port} {'infer digits:3' if digits else 'info'}"


if __name__ == "__main__":
    sys.exit(main())
