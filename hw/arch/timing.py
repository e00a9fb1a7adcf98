"""Cycles: the pipeline's distances, and the length of an instruction.

All distances count from the cycle in which the sequencer issues a word (addresses presented to
the row memory). Gateware asserts them at elaboration; forecast and interpreter use them.
``tau`` is the issue cycle of a tile's last word, ``r`` the row (or step, with ``spread``).
"""

from collections.abc import Callable, Iterator, Sequence

from hw.arch import isa
from hw.arch.config import Config
from hw.arch.formats import MAX_STEPS, STATE_CELLS
from hw.arch.isa import LATE_WORD, NI, Dest, Instruction, Op
from hw.arch.memmap import Mem

POP_STAGES = 2  #: Registers inside an element between operand and accumulator input.
ROW_ADDRESS = 1  #: Address of row memory in a register, of a word that is no pixel's.
ROW_DATA = ROW_ADDRESS + 2  #: Word of row memory, in the memory's output register.
ROW_READ = ROW_DATA + 1  #: Rotated and masked row word (register output).
ELEMENT_IN = ROW_READ + 3  #: Operand visible in element (0, 0).
ACC = ELEMENT_IN + POP_STAGES + 1  #: Accumulator of element (0, 0) visible.
S_READY = ACC + 1  #: Accumulator of lane 0 in the lane's register: start of the lane.
PRODUCT = S_READY + 3  #: Lane accumulator P visible (operand, product, P); unit u's in MAC at + u.
PICKED = PRODUCT + 1  #: P of the unit that x is made of, in the register before x.
X = PICKED + 1  #: x visible.
Y = X + 1  #: y (residual applied) visible.
RES_WRITE = Y + 1  #: A residual word is presented to its memory in this cycle.
SPIKE = Y + 1  #: Spike of lane 0, row 0.
STATE_GAP = 5  #: From a neuron's step to its next, where the lane stores a code of its membrane.
STATE_WRITE = Y + STATE_GAP - 1  #: A code for residual buffer A is known,
CODE_WRITE = STATE_WRITE + 1  #: and presented to it.
SWAP = 8  #: Parameters of the next column tile may be issued this long after tau of the first.


def write_cycle(config: Config) -> int:
    """Distance from tau to the cycle that writes row 0's spikes to row or column memory."""
    return SPIKE + 1 + config.cols


def mean_row(config: Config) -> int:
    """Place after tau, as if it were a row of the last tile, at which a mean takes the lanes' x.

    What is kept of row R - 1 goes through a register and a multiplier of its own, as row 0's sum
    went before.
    """
    return Y + 1 - S_READY + config.rows - 1


def pixel_cycle(config: Config, unit: int) -> int:
    """Cycle after a word's issue at which a unit's pixel is at lane 0.

    A cycle before its multiplier, if it goes there by way of the register of what is kept.
    """
    return S_READY + unit - (unit == 1 and bool(config.means))


def mean_gap(config: Config, i: Instruction) -> int:
    """Least cycles between column tiles for which no row of the next one needs x with the mean."""
    if not i.mean:
        return 0
    apart, between = mean_row(config) + 1, i.shortcut + i.n_par + tile_words(i, 0)  # tau to tau
    return 0 if i.tile_min >= apart else max(0, apart - between)


def spread_gap(i: Instruction) -> int:
    """Cycles from step to step of a MAC with spread: a pass through the pixels of a tile."""
    return max(i.n_pix + 1, STATE_GAP if i.leak else 1)


def drain_cycles(config: Config, i: Instruction) -> int:
    """Cycles after the last issue of an instruction until its last write has landed.

    So many as the field ``drain`` says; this is the formula that the compiler fills it from. Rows
    that are not valid have their events in write-back too.
    """
    if i.op in (Op.HALT, Op.TABLE, Op.MOVE):
        return 0
    write, rows, across = write_cycle(config), config.rows, config.cols - 1
    steps = i.n_spread * spread_gap(i) if i.spread else 0
    events = steps + i.n_pix if i.op == Op.MAC else rows - 1  # from the first to the last
    # distances from tau of the last tile; to the last event, then to each memory's last write
    last = [write - 1 + events]
    match i.dest:
        case Dest.ROW | Dest.ROW_TAPS | Dest.COL_TOKEN:
            last.append(write + events)
        case Dest.COL_CHANNEL:
            last.append(write + rows - 1)
        case Dest.ROW_CHANNEL:
            last.append(write + rows + config.cols // rows - 1)
        case Dest.PIX:
            last.append(write + across)
    if i.mean:
        last.append(mean_row(config) + write + across)
    if i.keep:
        last.append(RES_WRITE + events + across)
    if i.persist:
        last.append(CODE_WRITE + events + across)
    return max(0, max(last) - i.shortcut)


def settle_cycles(config: Config) -> int:
    """Cycles in which everything that was ever issued lands, whatever the instruction says.

    The most that `drain_cycles` can come to: as many passes of as many events as there can be, and
    the means after them.
    """
    events = MAX_STEPS * max(config.cols, STATE_GAP)
    return write_cycle(config) + events + mean_row(config) + config.cols


def stop_cycles(config: Config) -> int:
    """Most cycles from ``abort`` until the core is idle: the first one that is not busy.

    The abort in a register, the cycle that clears the sequencer, and what lands after it. A
    watchdog acts as an abort in the cycle in which ``cycles`` is the limit.
    """
    return 3 + settle_cycles(config)


PEEK = 5  #: Cycles from peek to peek_data, of program and pixel memory.


def peek_cycles(config: Config, memory: Mem = Mem.COL) -> int:
    """Cycles from ``peek`` to ``peek_data``; column memory, whose banks read in turn, takes most.

    The address in a register, the way to the memory and its word, and three selections. Residual
    memory, which lane after lane reads too, takes as many.
    """
    last = S_READY - 1 + config.cols - 1
    read = {Mem.COL: last, Mem.RES: last, Mem.ROW: 2 + ROW_DATA - ROW_ADDRESS}
    return PEEK - 1 + read.get(memory, 1)


def encode(config: Config, op: Op, **values: int) -> list[int]:
    """Return the words of an instruction as `isa.encode` does, its gap and drain filled in."""
    i = isa.decode(isa.encode(op, **values))
    filled = {"gap": mean_gap(config, i), "drain": drain_cycles(config, i)}
    return isa.encode(op, **filled | values)


def overhead(config: Config, i: Instruction, issued: int | None = None) -> int:
    """Cycles between the last issue of an instruction and the first of the next.

    ``issued``: cycles from its first issue to after its last, where they are not `issue_cycles`.

    The early words of the next instruction are fetched while this one drains, from the second
    cycle on. Its late ones came before, while this one issued (``prefetch``), or come after the
    drain.
    """
    late = NI - LATE_WORD
    if i.op == Op.TABLE:  # nothing to drain; the first threshold, then a cell a cycle
        return 1 + STATE_CELLS + NI + 2
    if not config.prefetch:
        return max(LATE_WORD + 3, i.drain) + late
    issued = issue_cycles(i) if issued is None else issued
    return max(LATE_WORD + 2 + max(1, late - issued), i.drain)


START = NI + 3  #: Cycles from start to the first instruction's first issue cycle.


def tile_words(i: Instruction, y: int | None = None) -> int:
    """Words issued per tile of output row ``y``; None: of one whose taps all are in the image."""
    rows = i.n_dy if y is None else i.end_dy(y) - i.first_dy(y)
    return i.n_k * i.n_dx * rows * (2 if i.xnor else 1)


def tile_cycles(i: Instruction, y: int | None = None) -> int:
    """Cycles from a tile's last word to that of such a tile behind it.

    A shortcut is one more word, after the last one. A tile that is short waits before its last
    word: rows that are read out, and what lanes do with them, need ``tile_min`` cycles from tau
    to tau.
    """
    return max(tile_words(i, y) + i.shortcut, i.tile_min)


def column_tile(i: Instruction) -> tuple[int, int]:
    """Return (words to the first tau, cycles from it to the last tau) of one column tile."""
    rows = sum(tile_cycles(i, y) for y in range(i.n_y)) if i.clip else i.n_y * tile_cycles(i)
    return tile_words(i, 0), rows * i.n_t * i.n_x - tile_cycles(i, 0)


def column_starts(i: Instruction) -> list[int]:
    """Issue cycle of each column tile's first parameter (or word), from instruction start.

    The parameters of a column tile come ``gap`` cycles after the previous one's last tile, and
    wait for its first tile to have left SWAP cycles of pipeline behind it. One more entry gives
    the end of issue.
    """
    return _columns(i)[0]


def column_taus(i: Instruction) -> list[int]:
    """Issue cycle of the last word of each column tile's first tile, from instruction start.

    It comes ``tile_min`` cycles or more after the tau before, and one or more after the start.
    """
    return _columns(i)[1]


def columns(
    i: Instruction, begin: Callable[[int], int] | None = None
) -> Iterator[tuple[int, int, int]]:
    """Walk the column tiles of an instruction: (start, tau of its first tile, last issue cycle).

    ``begin``: given the cycle in which a column tile could start, returns the one in which it does;
    it is asked about one when all before it were given.
    """
    words, length = column_tile(i)
    at, soonest, tau = 0, 1, 0
    for n in range(i.n_j * i.n_h):
        if n and i.n_par:
            at = max(at + i.gap, tau + SWAP)
        at = begin(at) if begin else at
        tau = max(at + i.n_par + words - 1, soonest)
        last = tau + length
        yield at, tau, last + i.shortcut
        at, soonest = last + 1 + i.shortcut, last + i.tile_min


def _columns(i: Instruction) -> tuple[list[int], list[int]]:
    starts, taus, ends = zip(*columns(i), strict=True)
    return [*starts, ends[-1] + 1], list(taus)


def issue_cycles(i: Instruction) -> int:
    """Cycles from the first issue cycle of an instruction to after its last.

    Of a MOVE that is taken at once, and of column tiles whose blocks are there.
    """
    if i.op in (Op.HALT, Op.TABLE):
        return 0
    return 1 if i.op == Op.MOVE else column_starts(i)[-1]


def run_start(program: Sequence[Instruction], first: bool = False) -> int:
    """Number of the instruction that a run starts with.

    ``first``: of the first run after a load; later ones start behind a TABLE with ``once``.
    """
    kept = [n for n, i in enumerate(program) if i.op == Op.TABLE and i.once]
    return 0 if first or not kept else kept[-1] + 1
