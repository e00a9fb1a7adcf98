"""Ratios of a PLL: searched from the clock that comes in to the one that is wanted, or refused."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from boards import Board
from hw.common.errors import SpikeloomError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a family's PLL can do; pairs are least and greatest, frequencies in Hz."""

    source: tuple[int, int]  #: Clock that comes in.
    detector: tuple[int, int]  #: Clock in over the input divider.
    oscillator: tuple[int, int]
    output: tuple[int, int]
    divide: int  #: Greatest input divider.
    multiply: tuple[int, int]  #: Of the feedback.
    share: int  #: Greatest output divider.
    behind: bool  #: Feedback is taken behind the output divider, else from the oscillator.
    liked: int  #: Oscillator's frequency that is taken where several ratios give the clock.


@dataclass(frozen=True)
class Ratio:
    """Dividers of a PLL; what comes out is exact."""

    divide: int  #: Of the clock that comes in.
    multiply: int  #: Of the feedback.
    share: int  #: Of the oscillator, to the output.
    oscillator: Fraction  #: Hz.
    output: Fraction  #: Hz.


def ratio(board: Board, limits: Limits) -> Ratio:
    """Return the ratio that makes a board's core clock from its oscillator, exactly.

    Of several the one with the least input divider, then with the oscillator nearest to what the
    family likes. SpikeloomError tells clock in, wanted, and what can be had.
    """
    low, high = limits.source
    if not low <= board.clock <= high:
        raise SpikeloomError(
            f"board {board.name}: its clock has {_mhz(board.clock)}, but the PLL of its family "
            f"takes {_mhz(low)} to {_mhz(high)}; such a board cannot be built"
        )
    found = list(ratios(board.clock, limits))
    exact = [r for r in found if r.output == board.core_clock]
    if not exact:
        near = " or ".join(_mhz(f) for f in _nearest({r.output for r in found}, board.core_clock))
        raise SpikeloomError(
            f"board {board.name}: from the {_mhz(board.clock)} of its clock the PLL makes {near}, "
            f"but core_clock is {_mhz(board.core_clock)}; give what it makes to the board's "
            "core_clock or to --clock"
        )
    return min(exact, key=lambda r: (r.divide, abs(r.oscillator - limits.liked), r.share))


def ratios(source: int, limits: Limits) -> Iterator[Ratio]:
    """Yield every ratio within the limits, for a clock of ``source`` Hz."""
    for divide in range(1, limits.divide + 1):
        detector = Fraction(source, divide)
        if not limits.detector[0] <= detector <= limits.detector[1]:
            continue
        for multiply in range(limits.multiply[0], limits.multiply[1] + 1):
            product = detector * multiply
            if product > limits.oscillator[1]:
                break
            for share in range(1, limits.share + 1):
                oscillator = product * share if limits.behind else product
                output = product if limits.behind else product / share
                if oscillator > limits.oscillator[1]:
                    break
                if oscillator < limits.oscillator[0]:
                    continue
                if limits.output[0] <= output <= limits.output[1]:
                    yield Ratio(divide, multiply, share, oscillator, output)


def _nearest(made: Iterable[Fraction], wanted: int) -> list[Fraction]:
    """Return the nearest below and the nearest above, of whole Hz where there are such."""
    whole = [f for f in made if f.denominator == 1] or list(made)
    below, above = [f for f in whole if f < wanted], [f for f in whole if f > wanted]
    return [*([max(below)] if below else []), *([min(above)] if above else [])]


def _mhz(hertz: int | Fraction) -> str:
    return f"{float(hertz) / 1e6:.9g} MHz"
