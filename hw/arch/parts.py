"""FPGA parts by their memories, and whether a core's memories fit one.

A forecast from ports and depths alone, in a moment and without synthesis. It speaks of memories:
how much logic a core takes, synthesis says.
"""

from dataclasses import dataclass

from hw.arch.config import POOL_LUT_WORDS, Config
from hw.arch.formats import (
    ADDER_BITS,
    FACTOR_BITS,
    MAX_STEPS,
    MEMBRANE_BITS,
    STATE_BITS,
    STATE_CELL_COARSE,
    STATE_CELLS,
)
from hw.arch.memmap import LOG_DEPTH
from hw.common.errors import SpikeloomError


@dataclass(frozen=True, kw_only=True)
class Ram:
    """A kind of RAM of a part."""

    name: str  #: Of the primitive.
    count: int  #: How many a part has.
    shapes: tuple[tuple[int, int], ...]  #: (depth in words, width in bits), each of the same RAM.
    single_port: bool = False  #: One port, and no contents until they are loaded.

    def blocks(self, width: int, depth: int) -> int:
        """Fewest RAMs of this kind for one memory."""
        return min(-(-width // w) * -(-depth // d) for d, w in self.shapes)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part and the core that is stated for it."""

    name: str  #: As ``--part`` takes it.
    title: str  #: Maker and part, for people.
    rams: tuple[Ram, ...]  #: Its RAMs by kind.
    config: Config  #: The core that is stated for it.


#: All parts by name.
PARTS = {
    p.name: p
    for p in (
        Part(
            name="ice40up5k",
            title="Lattice iCE40UP5K",
            rams=(
                Ram(
                    name="SB_RAM40_4K",
                    count=30,
                    shapes=((256, 16), (512, 8), (1024, 4), (2048, 2)),
                ),
                Ram(name="SB_SPRAM256KA", count=4, shapes=((16384, 16),), single_port=True),
            ),
            config=Config(
                rows=4,
                cols=8,
                width=32,
                row_depth=256,
                col_depth=256,
                res_depth=16,
                res_bits=1,
                pix_depth=512,
                prog_depth=1024,
                state_bits=2,
                acc_bits=12,
                pixels=1,
                means=0,
                pool_depth=0,
            ),
        ),
    )
}


def part(name: str) -> Part:
    """Return the part called ``name``; SpikeloomError lists the known ones."""
    if name not in PARTS:
        raise SpikeloomError(f"unknown part {name!r}; known parts: {', '.join(PARTS)}")
    return PARTS[name]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Equal memories of a core."""

    name: str  #: What it holds.
    count: int  #: How many of them a core has.
    width: int  #: Bits of a word.
    depth: int  #: Words.
    reads: int = 1  #: Ports that read at once; where a RAM has one, each takes a copy.
    single_port: bool = False  #: Written through the load port alone, never while it is read.
    registers: bool = False  #: Made of registers (LUT RAM where the part has it).
    small: bool = False  #: Made of LUT RAM where the part has it and block RAM is scarce.

    @property
    def bits(self) -> int:
        """Of all of them."""
        return self.count * self.width * self.depth


def memories(config: Config) -> list[Memory]:
    """Return all memories of a core with its UART link."""
    c = config
    found = [
        Memory(name="row", count=c.rows, width=c.width, depth=c.row_depth),
        Memory(name="column", count=c.cols, width=c.width, depth=c.col_depth),
        Memory(
            name="residual",
            count=2 * c.cols,
            width=c.res_bits,
            depth=c.res_depth,
            registers=c.res_bits == 1,
        ),
        Memory(name="pixel", count=1, width=MEMBRANE_BITS, depth=c.pix_depth),
        Memory(name="program", count=1, width=32, depth=c.prog_depth, single_port=True),
        Memory(name="log", count=1, width=32, depth=LOG_DEPTH, small=True),
        Memory(name="link buffer", count=1, width=8, depth=256),
        Memory(
            name="lane factors",
            count=c.cols,
            width=FACTOR_BITS,
            depth=2 * MAX_STEPS,
            registers=True,
        ),
        Memory(
            name="lane membranes",
            count=c.cols,
            depth=2 * c.rows,  # of which half are 0, where neurons start
            registers=True,
            width=MEMBRANE_BITS,
        ),
        Memory(
            name="spikes in wait", count=1, width=c.rows * c.cols, depth=MAX_STEPS, registers=True
        ),
    ]
    if c.tile_pixels > 1:
        found.append(
            Memory(
                name="lane sums",
                count=c.cols,
                width=MEMBRANE_BITS,
                depth=c.tile_pixels,
                registers=True,
            )
        )
    if c.pool_depth:
        found += [
            Memory(
                name="line of pools",
                count=1,
                width=c.cols,
                depth=c.pool_depth,
                registers=c.pool_depth <= POOL_LUT_WORDS,
            ),
            Memory(name="edges of pools", count=1, width=c.cols, depth=MAX_STEPS, registers=True),
        ]
    if c.state_bits > min(STATE_BITS):
        entry = max(STATE_BITS) - 1 + STATE_CELL_COARSE.bit_length()
        found.append(
            Memory(
                name="membrane codes", count=c.cols // 2, width=entry, depth=STATE_CELLS, reads=2
            )
        )
    return found


def dsps(config: Config, primitives: str) -> dict[str, int]:
    """Return the DSPs of a core by what they do: multipliers of lanes, and sums of the array.

    Parameters
    ----------
    primitives : what the core is made of, as ``hw.targets`` has it; of ``xc7`` the elements of a
        diagonal of the array share adders.
    """
    return {
        "lanes": config.cols * config.lane_units,
        "array": sum(map(len, shared_sums(config))) if primitives == "xc7" else 0,
    }


def shared_sums(config: Config) -> list[list[list[tuple[int, int]]]]:
    """Return which elements of each diagonal share an adder: (row, column); -1 counts row bits."""
    fields = ADDER_BITS // config.field_bits
    places = [(r, c) for c in range(-1, config.cols) for r in range(config.rows)]
    diagonals = [
        [place for place in places if sum(place) + 1 == d] for d in range(config.rows + config.cols)
    ]
    return [[line[k : k + fields] for k in range(0, len(line), fields)] for line in diagonals]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Where the memories of a core go on a part."""

    part: Part  #: Which part.
    rows: tuple[tuple[Memory, str, int], ...]  #: Memory, kind of RAM or 'registers', how many.

    @property
    def used(self) -> dict[str, int]:
        """RAMs in use by kind."""
        return {
            r.name: sum(n for _, kind, n in self.rows if kind == r.name) for r in self.part.rams
        }

    @property
    def faults(self) -> list[str]:
        """What does not fit, in sentences."""
        used = self.used
        return [
            f"{self.part.title} has {ram.count} {ram.name}, these memories take {used[ram.name]}"
            for ram in self.part.rams
            if used[ram.name] > ram.count
        ]


def fit(config: Config, target: Part) -> Fit:
    """Place a core's memories: what can take a single-port RAM does so while there are any."""
    rows = []
    dual = next(r for r in target.rams if not r.single_port)
    left = {r.name: r.count for r in target.rams if r.single_port}
    for memory in memories(config):
        if memory.registers:
            rows.append((memory, "registers", memory.bits))
            continue
        kind, number = dual, memory.count * memory.reads * dual.blocks(memory.width, memory.depth)
        for ram in target.rams:
            many = memory.count * ram.blocks(memory.width, memory.depth)
            if ram.single_port and memory.single_port and many <= left[ram.name]:
                kind, number = ram, many
                left[ram.name] -= many
        rows.append((memory, kind.name, number))
    return Fit(part=target, rows=tuple(rows))
