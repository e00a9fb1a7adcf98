"""Lane events of stored membranes: where a row's code is, and when it is the row's membrane."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Module, Mux, Signal, Value

from hw.arch import Config, timing
from hw.arch.formats import STATE_BITS
from hw.core.codes import PARTS
from hw.core.events import EXPAND
from hw.core.pipe import Pipeline
from hw.core.words import ADDR

#: What a lane must know where membranes are stored as codes, beside the rest of `lane_event`.
CODE_FIELDS = {
    "read_a": ADDR,  #: Address of buffer A, at PICKED - 2.
    "code_at": 3,  #: Place of the row's code in that word's bytes, in pairs of bits, at PICKED.
    "put": 1,  #: A membrane is put to put_row: what a step leaves, at Y; or, where the neuron
    "put_row": 0,  #: leaks, a code's: from memory at X, a new one at STATE_WRITE.
    "code_shut": len(PARTS),  #: Parts of the byte to be written that the new code does not give,
    #: at STATE_WRITE - 2; see `hw.core.codes`.
    "code_new": 4,  #: Pairs of bits of that byte that are not as read, at STATE_WRITE - 1,
    "code_below": 4,  #: and of those the ones below the new code, at STATE_WRITE.
    "code_half": 1,  #: Which byte of the word that is.
    "code_keep": 1,  #: It is written,
    "code_write": ADDR,  #: to this word of buffer A.
}


def code_events(
    m: Module, config: Config, i: Any, st_base: Value, peek: Value, rows: Pipeline, e: Any
) -> None:
    """Tell lane 0 where codes lie in residual buffer A, which holds two bytes of them a word.

    Parameters
    ----------
    i : the instruction, late fields. st_base : its base of codes, an early one.
    peek : buffer A's word is asked for from outside, by the address of B's.
    rows : events of rows, which stand at EXPAND + r. e : lane 0's event.
    """

    def word_of(index):
        """Return the word of buffer A that holds code ``index``."""
        return Choice([index >> 3, index >> 2, index >> 1])[i.state_bits]

    log_r = config.rows.bit_length() - 1
    at = EXPAND + 1  # a register behind the residual word, whose number it shares
    res = rows.at(at).res
    code = Cat(res[:log_r], (res[log_r:] + st_base)[: ADDR - log_r])
    codes = Pipeline(m, code, at, name="code")  # number of the row's code in memory
    read, written = codes.at(timing.PICKED - 2), rows.at(timing.STATE_WRITE)
    into_code = codes.at(timing.STATE_WRITE)
    place, into = Signal(3), Signal(3)  # in a word's two bytes, in pairs of bits
    first, own, below = Signal(2), Signal(4), Signal(4)
    soon = timing.STATE_WRITE - 2
    pairs = Pipeline(m, Cat(own | below, below), soon, name="code_pairs")
    is_wide = [i.state_bits == n for n in range(len(STATE_BITS))]
    gives = [own[pair] & Cat(*(is_wide[n] for n in widths)).any() for pair, _, widths in PARTS]
    m.d.comb += [
        place.eq(codes.at(timing.PICKED)[:3] << i.state_bits),
        into.eq(into_code[:3] << i.state_bits),
        e.read_a.eq(Mux(i.persist & ~peek, word_of(read), e.read_b)),
        e.code_at.eq(place),
        first.eq(codes.at(soon)[:3] << i.state_bits),
        own.eq(Choice([1, 3, 15])[i.state_bits] << first),
        below.eq((1 << first) - 1),
        e.code_shut.eq(~Cat(*gives)),
        e.code_new.eq(pairs.at(soon + 1)[:4]),
        e.code_below.eq(pairs.at(soon + 2)[4:]),
        e.code_half.eq(into[2]),
        e.code_keep.eq(written.code_keep),
        e.code_write.eq(word_of(into_code)),
    ]
    for to, name in ((e.put, "fire"), (e.put_row, "row")):
        new, old, left = (rows.at(t)[name] for t in (timing.STATE_WRITE, timing.X, timing.Y))
        m.d.comb += to.eq(Mux(i.leak, Mux(i.persist, old, new), left))
