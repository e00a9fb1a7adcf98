"""One call: a compiled program and images in, logits and cycles from RTL out."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.common.errors import SpikeloomError
from hw.common.files import disk_errors, whole
from sim import verilator
from sim.compare import Mismatch, differences, golden_differences
from sim.interpreter.interpret import ColumnReads
from sim.testbench import Commands, Outcome, SimulationError, run_free
from sim.verilator import Simulator
from sw.compiler import Program
from sw.compiler.origin import check_origin
from sw.images import as_frames
from sw.network import IntegerNetwork
from sw.result import Result

SPACE = "free space there, or set TMPDIR to a folder with more"


@dataclass(frozen=True, kw_only=True)
class Simulated(Result):
    """Result from RTL: logits int64 (B, classes), and busy cycles."""

    cycles: np.ndarray  #: int64 (B,).
    mismatches: tuple[Mismatch, ...] = ()  #: First of each image; only where checked.
    writes: int = 0  #: Memory writes compared.
    column_reads: tuple[ColumnReads, ...] = ()  #: Of each image; only where checked.
    compared: tuple[str, ...] = ()  #: With what: of "interpreter", "golden model", "forecast".


def frames(program: Program, images: np.ndarray) -> np.ndarray:
    """Return images as uint8 (B, *program.input_shape); SpikeloomError if they do not fit."""
    *steps, channels, height, width = program.input_shape
    images = as_frames(
        images,
        channels=channels,
        steps=program.steps,
        size=(height, width),
        per_step=bool(steps),
    )
    return images.reshape(len(images), *program.input_shape)


def commands(program: Program, images: np.ndarray) -> Commands:
    """Return the testbench's commands: load once, then each image, a run, its logits."""
    out = Commands()
    if program.outside.size:
        out.outside(program.outside, program.contract)
    out.load(program.load_stream())
    logits = range(program.logits_base, program.logits_base + program.classes)
    for n, image in enumerate(images):
        out.load(program.image_stream(image))
        out.start(n, 2 * program.run_cycles(n) + 1000)
        out.peek(logits)
    return out


def wave_kind(path: Path) -> str:
    """Return "vcd" or "fst" by the name of a waveform file."""
    if path.suffix.lower() not in (".vcd", ".fst"):
        raise SpikeloomError(f"waveform {str(path)!r}: the name must end in .vcd or .fst")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise SpikeloomError(f"waveform {str(path)!r}: its folder does not exist; make it first")
    if path.is_dir():
        raise SpikeloomError(f"waveform {str(path)!r} is a folder; give a name of a file in it")
    if not os.access(folder, os.W_OK):
        raise SpikeloomError(
            f"waveform {str(path)!r}: its folder cannot be written to; choose another place"
        )
    return path.suffix.lower()[1:]


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A job's folder, which is gone afterwards."""
    with disk_errors(Path("the folder of temporary files"), SPACE):
        folder = tempfile.TemporaryDirectory(prefix="spikeloom-sim-")
    with folder as name:
        yield Path(name)


def _run(simulator: Simulator, folder: Path, log: bool, wave: Path | None) -> Outcome:
    """Run a job; a waveform gets its name whole, or as far as a core came that hangs."""
    if wave is None:
        return run_free(simulator, folder, log=log)
    with whole(wave) as part:
        try:
            return run_free(simulator, folder, log=log, wave=part)
        except SimulationError as error:
            if not part.is_file():
                raise
            failed = error
    raise SimulationError(f"{failed}; the waveform up to there is in {wave}") from None


def run(
    program: Program,
    images: np.ndarray,
    wave: str | Path | None = None,
    *,
    check: bool = False,
    network: IntegerNetwork | None = None,
) -> Simulated:
    """Run images through the RTL of the program's core, on Verilator.

    The first run of a core configuration compiles its simulator (a minute or two); any network
    then runs on it.

    Parameters
    ----------
    images : uint8 (B, H, W), (B, C, H, W), or (B, T, C, H, W) for one frame per step.
    wave : name of a waveform file to write, .vcd or .fst.
    check : compare every memory write, logits and cycles with the interpreter, exactly, and the
        cycles with the forecast; the first difference of each image is in ``.mismatches``.
    network : the network that ``program`` was compiled from; logits are then compared with its
        golden model, and cycles with the forecast. RTL and interpreter run the same program: a
        fault of the program itself is seen by this comparison alone.
    """
    images = frames(program, images)
    if network is not None:
        check_origin(program, network)
    path = None if wave is None else Path(wave).absolute()
    simulator = verilator.build(program.config, "" if path is None else wave_kind(path))
    found: dict[int, Mismatch] = {}
    reads: list[ColumnReads] = []
    writes = None
    with _folder() as folder:
        with disk_errors(folder, SPACE):
            commands(program, images).write(folder)
        outcome = _run(simulator, folder, check, path)
        if check:
            writes = outcome.writes()
            for mismatch in differences(program, images, outcome, writes, reads):
                found.setdefault(mismatch.image, mismatch)
    if network is not None:
        for mismatch in golden_differences(program, network, images, outcome):
            found.setdefault(mismatch.image, mismatch)
    return Simulated(
        logits=np.array([r.words for r in outcome.runs], np.int64),
        scale=program.logits_scale,
        cycles=np.array([r.counted for r in outcome.runs], np.int64),
        mismatches=tuple(found[n] for n in sorted(found)),
        writes=0 if writes is None else len(writes),
        column_reads=tuple(reads),
        compared=("interpreter",) * check
        + ("golden model",) * (network is not None)
        + ("forecast",) * (check or network is not None),
    )
