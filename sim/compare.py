"""RTL against the interpreter: every memory write, logits and cycles, exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hw.arch.formats import MEMBRANE_BITS
from hw.arch.isa import Dest
from sim.interpreter import Events, interpret, locate
from sim.interpreter.interpret import ColumnReads
from sim.testbench import MEMORIES, NOT_BUSY, WRITE, Outcome, SimulationError, signed
from sim.verilator import Simulator
from sw.compiler import Program
from sw.compiler.origin import doubt
from sw.golden import run as run_golden
from sw.network import IntegerNetwork

SHOWN = {
    "row": "row",
    "col": "column",
    "a": "residual A",
    "b": "residual B",
    "pix": "pixel",
    "mem": "membrane",
}
SOURCES = {"row": 0, "col": 1, "res": 2, "pix": 4, "mem": 5}  #: Events' field to (first) memory.
MASK = (1 << MEMBRANE_BITS) - 1


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """The first difference between RTL and interpreter.

    ``layer`` to ``channel`` say what the interpreter writes there; they are empty or -1 where it
    writes nothing like it.
    """

    image: int
    what: str
    cycle: int = -1
    layer: str = ""
    tensor: str = ""
    step: int = -1
    token: int = -1
    channel: int = -1

    def __str__(self) -> str:
        at = f", cycle {self.cycle}" if self.cycle >= 0 else ""
        place = ""
        if self.layer:
            place = (
                f"layer {self.layer}, tensor {self.tensor}, step {self.step}, "
                f"token {self.token}, channel {self.channel}: "
            )
        return f"image {self.image}{at}: {place}{self.what}"


class Expected:
    """The interpreter's writes of one image in the testbench's form, and the way back."""

    def __init__(self, program: Program, events: Events, run: int):
        self.program, self.events = program, events
        parts, origins = [], []
        for name, memory in SOURCES.items():
            source = getattr(events, name)
            out = np.zeros(len(source), WRITE)
            out["run"], out["cycle"], out["addr"] = run, source["cycle"], source["addr"]
            if name in ("row", "col"):
                out["mem"], out["bank"], out["en"] = memory, source["bank"], source["mask"]
                words = np.zeros((len(source), 16), np.uint8)
                words[:, : source["data"].shape[1]] = source["data"]
                halves = words.view("<u8")
                out["lo"], out["hi"] = halves[:, 0], halves[:, 1]
            elif name == "mem":
                out["mem"], out["bank"], half = memory, source["lane"], source["half"]
                out["en"], out["lo"] = 1 << half, source["value"].astype(np.int64) << 8 * half
            else:
                out["mem"], out["en"] = memory, 1
                out["lo"] = source["value"].astype(np.int64) & MASK
                if name == "res":
                    out["mem"] += source["buffer"].astype(np.uint8)
                    out["bank"] = source["lane"]
            parts.append(out)
            origins.append(np.stack([np.full(len(out), memory), np.arange(len(out))], axis=1))
        writes, origin = np.concatenate(parts), np.concatenate(origins)
        order = np.lexsort([writes[n] for n in ("addr", "bank", "mem", "cycle")])
        self.writes, self.origin = writes[order], origin[order]

    def place(self, n: int, bit: int | None = None) -> dict[str, Any]:
        """Return the place of expected write ``n``, or of a bit of it."""
        memory, index = self.origin[n].tolist()
        name = {number: name for name, number in SOURCES.items()}[memory]
        event = getattr(self.events, name)[index]
        place = locate(self.program, name, event)
        token, channel = place.token, place.channel
        if bit is not None and memory < 2:
            offset = bit - 8 * int(event["first"])
            if 0 <= offset < 8 * int(event["count"]):
                instruction = self.program.instructions()[int(event["instruction"])]
                if instruction.dest in (Dest.COL_CHANNEL, Dest.ROW_CHANNEL):
                    token += offset
                else:
                    channel += offset
        return {
            "layer": place.layer,
            "tensor": place.tensor,
            "step": place.step,
            "token": token,
            "channel": channel,
        }


def _data(write: np.void, width: int) -> str:
    value = int(write["lo"]) | int(write["hi"]) << 64
    if MEMORIES[int(write["mem"])] == "mem":
        half = int(write["en"]) >> 1
        return f"0x{value >> 8 * half:02x} ({'high' if half else 'low'} byte)"
    if write["mem"] >= 2:
        return str(signed(value))
    return f"0x{value:0{width // 4}x} (bytes 0b{int(write['en']):0{width // 8}b})"


def _where(write: np.void) -> str:
    name = MEMORIES[int(write["mem"])]
    kind = "lane" if name in ("a", "b", "mem") else "bank"
    bank = "" if name == "pix" else f" {kind} {int(write['bank'])}"
    return f"{SHOWN[name]} memory{bank} word {int(write['addr'])}"


def first_difference(expected: Expected, got: np.ndarray, image: int) -> Mismatch | None:
    """Compare one image's writes (same order on both sides); None if they are the same set."""
    want = expected.writes
    n = min(len(want), len(got))
    differs = np.flatnonzero(want[:n] != got[:n])
    if not differs.size and len(want) == len(got):
        return None
    at = int(differs[0]) if differs.size else n
    width = expected.program.config.width
    w = want[at] if at < len(want) else None
    g = got[at] if at < len(got) else None

    def key(write: np.void) -> tuple[int, ...]:
        return tuple(int(write[name]) for name in ("cycle", "mem", "bank", "addr"))

    if w is not None and g is not None and key(w) == key(g):
        bits = (int(w["lo"]) ^ int(g["lo"])) | (int(w["hi"]) ^ int(g["hi"])) << 64
        bit = (bits & -bits).bit_length() - 1 if bits else None
        return Mismatch(
            image=image,
            cycle=int(w["cycle"]),
            what=f"{_where(w)}: expected {_data(w, width)}, got {_data(g, width)}",
            **expected.place(at, bit),
        )
    if g is None or (w is not None and key(w) < key(g)):
        assert w is not None
        return Mismatch(
            image=image,
            cycle=int(w["cycle"]),
            what=f"{_where(w)}: expected {_data(w, width)}, got no write{_nearest(w, got, width)}",
            **expected.place(at),
        )
    if g["cycle"] == NOT_BUSY:
        return Mismatch(image=image, what=f"{_where(g)}: written while the core is not busy")
    same = np.flatnonzero(
        (want["mem"] == g["mem"]) & (want["bank"] == g["bank"]) & (want["addr"] == g["addr"])
    )
    place: dict[str, Any] = {}
    if same.size:
        closest = np.argmin(np.abs(want["cycle"][same].astype(np.int64) - int(g["cycle"])))
        place = expected.place(int(same[closest]))
    return Mismatch(
        image=image,
        cycle=int(g["cycle"]),
        what=f"{_where(g)}: expected no write, got {_data(g, width)}{_nearest(g, want, width)}",
        **place,
    )


def _nearest(write: np.void, others: np.ndarray, width: int) -> str:
    """Say where the other side has a write of the same word."""
    same = others[
        (others["mem"] == write["mem"])
        & (others["bank"] == write["bank"])
        & (others["addr"] == write["addr"])
    ]
    if not same.size:
        return " (the other side never writes this word)"
    distance = same["cycle"].astype(np.int64) - int(write["cycle"])
    i = int(np.argmin(np.abs(distance)))
    return f" (the other side writes it in cycle {int(same['cycle'][i])}: {_data(same[i], width)})"


def differences(
    program: Program,
    images: np.ndarray,
    outcome: Outcome,
    writes: np.ndarray,
    reads: list[ColumnReads] | None = None,
) -> Iterator[Mismatch]:
    """Yield at most one mismatch per image: the first write, else the cycles, else the logits.

    ``writes``: all of ``outcome``. The forecast must equal the interpreter's cycles too. To
    ``reads`` the column reads of each image are added, all instructions together.
    """
    runs = outcome.runs
    bounds = np.searchsorted(writes["run"], np.arange(len(runs) + 1))
    if len(runs) != len(images):
        raise SimulationError(f"{len(runs)} runs of {len(images)} images")
    for n, (run, model) in enumerate(zip(runs, interpret(program, images), strict=True)):
        assert model.events is not None
        if reads is not None:
            reads.append(sum(model.column_reads, ColumnReads()))
        expected = Expected(program, model.events, n)
        if found := first_difference(expected, writes[bounds[n] : bounds[n + 1]], n):
            yield found
            continue
        cycles = {
            "busy cycles": run.counted,
            "cycle counter": run.cycles,
            "interpreter": model.cycles,
            "forecast": program.run_cycles(n),
        }
        if len(set(cycles.values())) > 1:
            told = ", ".join(f"{k} {v}" for k, v in cycles.items())
            yield Mismatch(image=n, what=f"cycles differ: {told}")
        elif run.stalls != (stalls := sum(program.stalls(n))):
            yield Mismatch(image=n, what=f"stalls: {stalls} forecast, {run.stalls} counted")
        elif run.words != model.logits.tolist():
            yield Mismatch(
                image=n, what=f"logits: expected {model.logits.tolist()}, got {run.words}"
            )
    if bounds[0] or bounds[-1] != len(writes):
        yield Mismatch(image=-1, what="writes outside all runs")


def golden_differences(
    program: Program, network: IntegerNetwork, images: np.ndarray, outcome: Outcome
) -> Iterator[Mismatch]:
    """Yield the mismatches with the forecast and with the golden model of ``network``.

    One for each image whose cycles differ, or else whose logits do.
    """
    golden = run_golden(network, images)
    added: str | None = None
    for n, (run, logits) in enumerate(zip(outcome.runs, golden.logits.tolist(), strict=True)):
        forecast = program.run_cycles(n)
        if run.counted != forecast:
            yield Mismatch(
                image=n, what=f"cycles differ: busy cycles {run.counted}, forecast {forecast}"
            )
        elif run.words != logits:
            if added is None:
                added = doubt(program, network)
            classes = [int(np.argmax(v)) for v in (logits, run.words)]
            yield Mismatch(
                image=n,
                what=f"logits differ from the golden model: it gives {logits}, class {classes[0]}; "
                f"RTL gives {run.words}, class {classes[1]}{added}",
            )


def save_job(folder: Path, program: Program, images: np.ndarray) -> None:
    """Leave program and images in a job's folder, for `check_job`."""
    program.save(folder / "program.npz")
    np.save(folder / "images.npy", images)


def check_job(folder: Path) -> int:
    """Raise AssertionError naming the first mismatch of a finished job; return writes compared."""
    from sim.testbench import read_results

    program = Program.load(folder / "program.npz")
    images = np.load(folder / "images.npy")
    c = program.config
    outcome = read_results(Simulator(folder, c.rows, c.cols, c.width), folder)
    writes = outcome.writes()
    for found in differences(program, images, outcome, writes):
        raise AssertionError(str(found))
    return len(writes)
