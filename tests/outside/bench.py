"""The gateware of an SDRAM with the generated controller and a model of the SDRAM, in Verilator.

``python -m tests.outside.bench`` prints what streams, and what a single word takes.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hw.common import process
from hw.common.cli import command
from hw.outside import litedram
from hw.outside.chip import ULX3S
from hw.outside.sdram import Sdram
from hw.tools.export import export_verilog
from sim import verilator

HERE = Path(__file__).parent
CLOCKS = (50_000_000, 75_000_000)
#: What sdr.sv has a bit for.
RULES = (
    "power-up", "set-up", "tRCD", "tRP", "tRAS", "tRC", "tRRD", "tRFC", "tWR", "tMRD",
    "row closed", "row open", "refresh late", "mode register", "two drive", "nobody drives",
    "CKE", "unknown command", "tRAS most",
)  # fmt: skip
#: Least times of the model, in picoseconds: the longer one of MT48LC16M16A2-75 and AS4C32M16SB-7.
#: `mrd` and `wake` are counts.
LIMITS = {
    "rcd": 21_000,
    "rp": 21_000,
    "ras": 44_000,
    "rc": 66_000,
    "rrd": 15_000,
    "rfc": 66_000,
    "wr": 15_000,
    "refi": 7_812_500,
    "power": 200_000_000,
    "mrd": 2,
    "wake": 8,
}


@dataclass(frozen=True)
class Played:
    """What came of a script: words in order with their cycles, and what the model saw."""

    reads: list[tuple[int, int]]  #: (cycle, word)
    drops: list[int]  #: How many words had come by each drop.
    marks: list[int]  #: Cycles.
    cycles: int
    strays: int  #: Cycles in which a word was offered that nobody had asked for.
    greed: int  #: Cycles in which a word was wanted that nobody had promised.
    broken: list[str]  #: Rules.
    counts: dict[str, int]

    @property
    def words(self) -> list[int]:
        return [word for _, word in self.reads]


@cache
def simulator(clock: int, fault: tuple[str, str] | None = None) -> Path:
    """Return the executable for a clock of the SDRAM; seconds, once.

    ``fault``: a text of the Verilog, and what stands there instead.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        parts = [
            export_verilog(Sdram(ULX3S, clock=clock), folder / "sdram.v", name="sdram"),
            litedram.generate(folder, chip=ULX3S, clock=clock),
            HERE / "sdr.sv",
            HERE / "cells.sv",
        ]
        text = "".join(part.read_text(encoding="utf-8") for part in parts)
    if fault is not None:
        assert fault[0] in text, fault[0]
        text = text.replace(*fault)
    return verilator.compile_bench(text, HERE / "bench.sv", main=HERE / "main.cpp") / "free"


def picoseconds(clock: int) -> int:
    return round(1e12 / clock)


def play(
    script: Iterable[str],
    *,
    clock: int = CLOCKS[0],
    core: int = CLOCKS[0],
    shift: int = 50,
    most: int = 1_000_000,
    limits: Mapping[str, int] = LIMITS,
    fault: tuple[str, str] | None = None,
) -> Played:
    """Play a script (main.cpp tells its language).

    Parameters
    ----------
    clock, core : frequencies of domains ``sdram`` and ``sync``, in Hz.
    shift : percent of a cycle that the SDRAM's clock pin lies behind.
    most : cycles of the core.
    limits : of the model.
    fault : see `simulator`.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "script"
        path.write_text("\n".join(script) + "\n", encoding="utf-8")
        given = {"sync": picoseconds(core), "period": picoseconds(clock), **limits}
        given |= {"shift": shift, "most": most, "script": path}
        options = [f"+{name}={value}" for name, value in given.items()]
        done = process.run([simulator(clock, fault), *options], timeout=300)
    reads, drops, marks, lines = [], [], [], done.stdout.splitlines()
    if done.returncode:
        raise AssertionError(f"the bench ended with {done.returncode}: {lines[-2:]} {done.stderr}")
    for line in lines[:-1]:
        kind, cycle, *word = line.split()
        if kind == "r":
            reads.append((int(cycle), int(word[0], 16)))
        elif kind == "d":
            drops.append(len(reads))
        else:
            marks.append(int(cycle))
    cycles, strays, greed, wrong, _, *counts = map(int, lines[-1].split()[1:])
    broken = [rule for bit, rule in enumerate(RULES) if wrong >> bit & 1]
    names = ("refreshes", "activates", "reads", "writes")
    return Played(
        reads, drops, marks, cycles, strays, greed, broken, dict(zip(names, counts, strict=True))
    )


def write(addr: int, words: Iterable[int]) -> str:
    words = list(words)
    return f"w {addr} {len(words)} " + " ".join(f"{word:x}" for word in words)


def read(addr: int, count: int) -> str:
    return f"r {addr} {count}"


def rates(clock: int, core: int, count: int = 8192) -> dict[str, float]:
    """Measure: words a second of one long request, and cycles of the core to a first word.

    ``read`` is in words a second, ``part`` and ``short`` in parts of a word of the SDRAM in each of
    its cycles, for one request and for requests of 16 words; ``median`` and ``longest`` in cycles.
    """
    rng = random.Random(1)
    words = [rng.getrandbits(32) for _ in range(count)]
    script = ["q", write(0, words), "q", "i 100", "m", write(0, words), "q", "i 200"]
    script += ["m", read(0, count), "q", "m", "i 100"]
    # as many words again, 16 a request
    script += ["m", *(read(addr, 16) for addr in range(0, count, 16)), "q", "m", "i 100"]
    singles = [rng.randrange(1 << 23) for _ in range(50)]
    for addr in singles:
        script += ["m", read(addr, 1), "q", "i 7"]
    got = play(script, clock=clock, core=core)
    assert got.words[: 2 * count] == words * 2
    assert not got.broken, got.broken
    start, end, first, last = got.marks[1:5]
    waits = sorted(c - m for m, (c, _) in zip(got.marks[5:], got.reads[2 * count :], strict=True))
    return {
        "read": count * core / (end - start),
        "part": count * 2 / ((end - start) / core * clock),
        "short": count * 2 / ((last - first) / core * clock),
        "median": waits[len(waits) // 2],
        "longest": waits[-1],
    }


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Print a table of `rates`."""
    p = argparse.ArgumentParser(
        prog="python -m tests.outside.bench",
        description="Rates of the SDRAM's gateware with a model of the SDRAM, in Verilator.",
    )
    p.add_argument("--words", type=int, default=8192, help="that are read (default: %(default)s)")
    args = p.parse_args(argv)
    print("SDRAM  core  read      of the pins' rate         cycles to a word")
    print("MHz    MHz   MB/s      one request  16 a request median longest")
    for clock in CLOCKS:
        for core in (50_000_000, 85_000_000):
            r = rates(clock, core, args.words)
            print(
                f"{clock / 1e6:<7.0f}{core / 1e6:<6.0f}{r['read'] * 4 / 1e6:<10.1f}"
                f"{r['part']:<13.3f}{r['short']:<13.3f}{r['median']:<7}{r['longest']}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
