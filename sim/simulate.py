"""One call: a compiled program and images in, logits and cycles from RTL out."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.arch import SpikeloomError
from sim import verilator
from sim.compare import Mismatch, differences
from sim.testbench import Commands, run_free
from sw.compiler import Program
from sw.images import as_frames
from sw.result import Result


@dataclass(frozen=True, kw_only=True)
class Simulated(Result):
    """Result from RTL: logits int64 (B, classes), and busy cycles."""

    cycles: np.ndarray  #: int64 (B,).
    mismatches: tuple[Mismatch, ...] = ()  #: First of each image; only where checked.
    writes: int = 0  #: Memory writes compared.


def frames(program: Program, images: np.ndarray) -> np.ndarray:
    """Return images as uint8 (B, *program.input_shape); SpikeloomError if they do not fit."""
    *steps, channels, height, width = program.input_shape
    images = as_frames(
        np.asarray(images), channels=channels, steps=program.steps, size=(height, width),
        per_step=bool(steps),
    )  # fmt: skip
    return images.reshape(len(images), *program.input_shape)


def commands(program: Program, images: np.ndarray) -> Commands:
    """Return the testbench's commands: load once, then each image, a run, its logits."""
    out = Commands()
    out.load(program.load_stream())
    logits = range(program.logits_base, program.logits_base + program.classes)
    for n, image in enumerate(images):
        out.load(program.image_stream(image))
        out.start(n, 2 * program.cycles + 1000)
        out.peek(logits)
    return out


def wave_kind(path: Path) -> str:
    """Return "vcd" or "fst" by the name of a waveform file."""
    if path.suffix.lower() not in (".vcd", ".fst"):
        raise SpikeloomError(f"waveform {str(path)!r}: the name must end in .vcd or .fst")
    if not path.absolute().parent.is_dir():
        raise SpikeloomError(f"waveform {str(path)!r}: its folder does not exist")
    return path.suffix.lower()[1:]


def run(
    program: Program,
    images: np.ndarray,
    wave: str | Path | None = None,
    *,
    check: bool = False,
) -> Simulated:
    """Run images through the RTL of the program's core, on Verilator.

    The first run of a core configuration compiles its simulator (a minute or two); any network
    then runs on it.

    Parameters
    ----------
    images : uint8 (B, H, W), (B, C, H, W), or (B, T, C, H, W) for one frame per step.
    wave : name of a waveform file to write, .vcd or .fst.
    check : compare every memory write, logits and cycles with the interpreter, exactly; the
        first difference of each image is in ``.mismatches``.
    """
    images = frames(program, images)
    path = None if wave is None else Path(wave).absolute()
    simulator = verilator.build(program.config, "" if path is None else wave_kind(path))
    with tempfile.TemporaryDirectory(prefix="spikeloom-sim-") as name:
        folder = Path(name)
        commands(program, images).write(folder)
        outcome = run_free(simulator, folder, log=check, wave=path)
        writes = outcome.writes() if check else None
        found = () if writes is None else tuple(differences(program, images, outcome, writes))
    return Simulated(
        logits=np.array([r.words for r in outcome.runs], np.int64),
        scale=program.logits_scale,
        cycles=np.array([r.counted for r in outcome.runs], np.int64),
        mismatches=found,
        writes=0 if writes is None else len(writes),
    )
