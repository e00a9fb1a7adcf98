"""Both sides of the testbench's files: commands in, results and memory writes out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from hw.arch import timing
from hw.arch.formats import MEMBRANE_BITS
from hw.arch.memmap import Mem, Stopped, load_addr
from hw.arch.outside import Contract
from hw.common.errors import SpikeloomError
from hw.common.process import run
from sim.verilator import Simulator

NOT_BUSY = 0xFFFFFFFF  #: Cycle of a write outside a run.
MEMORIES = ("row", "col", "a", "b", "pix", "mem")  #: Order of ``mem`` in a write.

#: One write of one bank. ``en``: byte enables (1 for residual and pixel words); ``lo``, ``hi``: the
#: enabled bytes, others 0; residual and pixel words as 18 bits, unsigned; mem: codes of membranes,
#: two bytes a word.
WRITE = np.dtype(
    [
        ("run", "<u4"),
        ("cycle", "<u4"),
        ("mem", "u1"),
        ("bank", "u1"),
        ("addr", "<u2"),
        ("en", "<u2"),
        ("lo", "<u8"),
        ("hi", "<u8"),
    ]
)


@dataclass
class Run:
    """One run of the core."""

    run: int
    counted: int = -1  #: Busy cycles, counted by the testbench.
    cycles: int = -1  #: What the core's counter says.
    stopped: Stopped = Stopped.NO  #: What ended it before its HALT.
    pc: int = -1  #: Where in program memory it ended.
    taken: int = -1  #: Instructions that it took, as far as they are logged.
    stalls: int = 0  #: Cycles in which it did nothing but wait for its mover.
    words: list[int] = field(default_factory=list)  #: Words read back, signed.
    log: list[int] = field(default_factory=list)  #: Cycles in which instructions were taken.


@dataclass
class Outcome:
    """All runs of a simulation, and where its log is."""

    runs: list[Run]
    folder: Path
    simulator: Simulator

    def writes(self) -> np.ndarray:
        """Every logged memory write, WRITE records ordered by (run, cycle, mem, bank)."""
        return read_log(self.folder, self.simulator)


class SimulationError(SpikeloomError):
    """The core did something that no program explains: it hangs, or stops without done."""

    label = "simulation failed"


class Commands:
    """Builds the command file."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._outside = np.zeros(0, np.uint32)

    def load(self, stream: np.ndarray) -> None:
        """Add load port writes, [n, 2] of (address, data)."""
        self.lines += [f"w {a:x} {d:x}" for a, d in np.asarray(stream).tolist()]

    def outside(self, words: np.ndarray, contract: Contract) -> None:
        """Give the memory outside its contents, uint32 from address 0, and what it keeps to."""
        self._outside = words
        self.lines.append(f"k {contract.latency:x} {contract.period:x}")

    def start(self, run: int, budget: int, abort: int = 0) -> None:
        """Add a run of at most ``budget`` busy cycles; after ``abort`` of them it is aborted."""
        self.lines += [f"n {run:x} 0", f"s {budget:x} {abort:x}"]

    def limit(self, cycles: int) -> None:
        """Set the cycles after which the core stops runs from here on; 0: it does not."""
        self.lines.append(f"l {cycles:x} 0")

    def peek(self, addresses: Iterable[int]) -> None:
        """Add reads of words of pixel memory."""
        self.look((load_addr(Mem.PIX, a) for a in addresses), timing.PEEK)

    def look(self, addresses: Iterable[int], cycles: int) -> None:
        """Add peeks at load port addresses, each of so many cycles (`timing.peek_cycles`)."""
        self.lines += [f"p {a:x} {cycles:x}" for a in addresses]

    def log(self, count: int) -> None:
        """Add reads of the cycles in which the run's first ``count`` instructions were taken."""
        self.lines += [f"i {n:x} 0" for n in range(count)]

    def write(self, folder: Path) -> None:
        """Write the command file into a job's folder, and what is in the memory outside."""
        (folder / "commands").write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        if self._outside.size:
            self._outside.astype(">u4").tofile(folder / "outside")


def plusargs(folder: Path, log: bool, wave: Path | None = None) -> list[str]:
    """Return the testbench's arguments for the job in ``folder``."""
    out = [f"+stim={folder / 'commands'}", f"+out={folder / 'results'}"]
    if (folder / "outside").is_file():
        out.append(f"+outside={folder / 'outside'}")
    if log:
        out.append(f"+log={folder / 'log'}")
    if wave is not None:
        out.append(f"+wave={wave}")
    return out


def run_free(
    simulator: Simulator, folder: Path, log: bool = True, wave: Path | None = None
) -> Outcome:
    """Run the commands of ``folder`` at full speed, without cocotb."""
    try:
        done = run([simulator.free, *plusargs(folder, log, wave)], cwd=folder)
    except OSError as error:
        raise SimulationError(
            f"{simulator.free}: cannot be started ({error.strerror}); remove the folder "
            f"{simulator.folder}, and the simulator is compiled again"
        ) from None
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-12:])[-1500:]
        raise SimulationError(
            f"the simulator ended with {done.returncode} (is there space for its log in {folder}?)"
            f":\n{said}".rstrip(":\n")
        )
    return read_results(simulator, folder)


def signed(word: int) -> int:
    """Return the number that a residual or pixel word holds."""
    return word - (word >> (MEMBRANE_BITS - 1) << MEMBRANE_BITS)


def _fail(runs: list[Run], what: str) -> NoReturn:
    where = f"run {runs[-1].run}" if runs else "before the first run"
    raise SimulationError(f"{where}: {what}")


def read_results(simulator: Simulator, folder: Path) -> Outcome:
    """Read what the testbench wrote; a hang or a wrong end is a SimulationError."""
    runs: list[Run] = []
    ended = False
    for line in (folder / "results").read_text(encoding="utf-8").splitlines():
        letter, *values = line.split()
        numbers = [int(v, 16) for v in values]
        if letter == "n":
            runs.append(Run(numbers[0]))
        elif letter == "s":
            runs[-1].counted, runs[-1].cycles, _, runs[-1].pc, runs[-1].taken = numbers
        elif letter == "x":
            runs[-1].counted, runs[-1].cycles, stopped, runs[-1].pc, runs[-1].taken = numbers
            runs[-1].stopped = Stopped(stopped)
        elif letter == "o":
            runs[-1].stalls = numbers[0]
        elif letter == "p":
            runs[-1].words.append(numbers[0] - (numbers[0] >> 31 << 32))
        elif letter == "i":
            runs[-1].log.append(numbers[0])
        elif letter == "t":
            _fail(runs, f"still busy after {numbers[0]} cycles, the watchdog's budget")
        elif letter == "d":
            _fail(runs, "neither busy nor done after start")
        elif letter == "e":
            ended = True
    if not ended:
        _fail(runs, "the simulation ended before its commands did")
    return Outcome(runs, folder, simulator)


def _records(path: Path, words: int) -> np.ndarray:
    size = path.stat().st_size
    if size % (4 * words):
        raise SimulationError(
            f"{path}: the log of memory writes is cut off; free space there, or set TMPDIR to a "
            "folder with more"
        )
    return np.fromfile(path, "<u4").reshape(-1, words)


def _lanes(records: np.ndarray, at: int, count: int, bits: int) -> tuple[np.ndarray, int]:
    """Return ``count`` vectors of ``bits`` from word ``at`` as bits, and the word after them."""
    words = -(-count * bits // 32)
    part = np.ascontiguousarray(records[:, at : at + words]).view(np.uint8)
    flat = np.unpackbits(part, axis=1, bitorder="little", count=count * bits)
    return flat.reshape(len(records), count, bits), at + words


def _collect(
    records: np.ndarray, mem: tuple[int, ...], banks: int, width: int, enables: int
) -> np.ndarray:
    """Turn records of one trace port into WRITE records.

    ``enables`` is the number of byte enables per bank; one word may go to several memories
    ``mem``, whose enables then follow each other.
    """
    data, at = _lanes(records, 2, banks, width)
    addr, at = _lanes(records, at, banks, 16)
    en, at = _lanes(records, at, banks * len(mem), enables)
    assert at == records.shape[1], (at, records.shape)
    n, b = np.nonzero(en.any(axis=2))
    out = np.zeros(len(n), WRITE)
    out["run"], out["cycle"] = records[n, 0], records[n, 1]
    out["mem"], out["bank"] = np.array(mem)[b // banks], b % banks
    en, bank = en[n, b], b % banks
    out["addr"] = np.packbits(addr[n, bank], axis=1, bitorder="little").view("<u2")[:, 0]
    data = data[n, bank]
    if enables > 1:
        data = data * np.repeat(en, 8, axis=1)
    full = np.zeros((len(n), 128), np.uint8)
    full[:, :width] = data
    halves = np.packbits(full, axis=1, bitorder="little").view("<u8")
    out["lo"], out["hi"] = halves[:, 0], halves[:, 1]
    wide = np.zeros((len(n), 16), np.uint8)
    wide[:, :enables] = en
    out["en"] = np.packbits(wide, axis=1, bitorder="little").view("<u2")[:, 0]
    return out


def read_log(folder: Path, simulator: Simulator, chunk: int = 1 << 15) -> np.ndarray:
    """Read the log of a job: WRITE records ordered by (run, cycle, mem, bank)."""
    r, c, w = simulator.rows, simulator.cols, simulator.width
    parts = [np.zeros(0, WRITE)]
    for name, mem, banks, width, enables in (
        ("row", (0,), r, w, w // 8),
        ("col", (1,), c, w, w // 8),
        ("res", (2, 3), c, MEMBRANE_BITS, 1),
        ("mem", (5,), c, 16, 2),
    ):
        vectors = (banks * width, banks * 16, banks * enables * len(mem))
        words = 2 + sum(-(-n // 32) for n in vectors)
        records = _records(folder / f"log.{name}", words)
        parts += [
            _collect(records[i : i + chunk], mem, banks, width, enables)
            for i in range(0, len(records), chunk)
        ]
    records = _records(folder / "log.pix", 4)
    pix = np.zeros(len(records), WRITE)
    pix["run"], pix["cycle"], pix["addr"] = records[:, 0], records[:, 1], records[:, 2]
    pix["lo"] = records[:, 3]
    pix["mem"], pix["en"] = 4, 1
    return ordered(np.concatenate([*parts, pix]))


def ordered(writes: np.ndarray) -> np.ndarray:
    """Return WRITE records in the order of (run, cycle, mem, bank, addr)."""
    return writes[np.lexsort([writes[n] for n in ("addr", "bank", "mem", "cycle", "run")])]
