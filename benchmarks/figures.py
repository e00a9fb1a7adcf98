"""The figures of ``docs/architecture``: ``python -m benchmarks.figures`` draws them.

Distances come from ``hw.arch.timing``, so that a figure shows what the core does. The core drawn
has R = 4 rows, C = 8 columns (16 where a layout needs them) and W = 32 bits.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import pages as options
from benchmarks.svg import Drawing
from hw.arch import Config, timing
from hw.common import files
from hw.common.cli import command

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "architecture"
COMMAND = "python -m benchmarks.figures"
ROWS, COLS = 4, 8


def wave() -> Drawing:
    """Draw two tiles of four words as they cross the array."""
    d = Drawing(940, 250, "The skewed wave: two tiles of four words crossing the array")
    size, words = 28, 4
    for n, after in enumerate((2, 5, 8)):
        left, top, cycle = 50 + 305 * n, 70, timing.ELEMENT_IN + after
        d.text(left + 4 * size, 22, f"cycle {cycle}", "bold")
        d.text(left + 4 * size, 42, "row r starts r cycles late, column c c cycles", "small")
        for r in range(ROWS):
            d.text(left - 22, top + size * (r + 0.5), f"row {r}", "small")
            for c in range(COLS):
                word = cycle - timing.ELEMENT_IN - r - c
                tile = word // words
                kind = {0: "one", 1: "two"}.get(tile, "none")
                text = word % words if kind != "none" else ""
                d.box(left + size * c, top + size * r, size, size, text, kind)
                if word >= 0 and word % words == words - 1 and tile < 2:
                    d.box(
                        left + size * c + 3, top + size * r + 3, size - 6, size - 6, text, "three"
                    )
        for c in range(COLS):
            d.text(left + size * (c + 0.5), top - 10, c, "small")
    d.box(50, 205, 18, 18, "", "one")
    d.text(75, 214, "words 0 to 3 of a tile", "note left")
    d.box(235, 205, 18, 18, "", "two")
    d.text(260, 214, "of the next tile", "note left")
    d.box(385, 205, 18, 18, "", "three")
    d.text(
        410,
        214,
        "the last word: this element's sum is whole "
        f"{timing.ACC - timing.ELEMENT_IN} cycles later, and leaves",
        "note left",
    )
    return d


def rotation() -> Drawing:
    """Draw how row words are shifted by -1, and by +1."""
    d = Drawing(940, 300, "Rotation of row words among the rows")
    for n, (shift, wrapping) in enumerate(((-1, 3), (1, 0))):
        left = 40 + 460 * n
        d.text(
            left + 200, 22, f"shift s = {shift:+d}: row r reads bank (r {shift:+d}) mod 4", "bold"
        )
        for bank in range(ROWS):
            x = left + 100 * bank
            d.text(x + 45, 50, f"bank {bank}", "small")
            for group in range(3):
                here = group == 1 and bank != wrapping
                wraps = bank == wrapping and group == (0 if shift < 0 else 2)
                kind = "one" if here else "two" if wraps else "none"
                d.box(x, 65 + 34 * group, 90, 30, f"token {4 * group + bank}", kind)
        for row in range(ROWS):
            bank = (row + shift) % ROWS
            d.box(left + 100 * row, 225, 90, 30, f"row {row}: X = {4 + row}", "three")
            d.arrow(left + 100 * bank + 45, 165, left + 100 * row + 45, 223)
        sign, far = ("-", "before") if shift < 0 else ("+", "after")
        d.text(
            left + 195,
            276,
            f"bank {wrapping} is read at row_addr {sign} row_gs: the group {far}",
            "note",
        )
    return d


def layouts() -> Drawing:
    """Draw the layouts of row and column memory."""
    d = Drawing(940, 640, "Layouts of spikes in row and column memory")
    box, high = 52, 26
    d.text(30, 24, "channel-packed, 2D, 10 columns", "bold left")
    for y in range(2):
        for x in range(12):
            group, bank = y * 3 + x // 4, x % 4
            text, kind = (f"{y},{x}", "one" if y == 0 else "two") if x < 10 else ("", "none")
            d.box(90 + box * bank, 56 + high * group, box, high, text, kind)
    for bank in range(4):
        d.text(90 + box * (bank + 0.5), 46, f"bank {bank}", "small")
    for group in range(6):
        d.text(60, 69 + high * group, f"group {group}", "small")
    d.text(200, 228, "a cell is T steps of one token: y, x", "note")

    d.text(350, 24, "the same, flat", "bold left")
    for n in range(20):
        y, x = divmod(n, 10)
        kind = "one" if y == 0 else "two"
        d.box(350 + box * (n % 4), 56 + high * (n // 4), box, high, f"{y},{x}", kind)
    for bank in range(4):
        d.text(350 + box * (bank + 0.5), 46, f"bank {bank}", "small")
    d.text(454, 228, "n = 10 y + x; group n div R", "note")

    d.text(610, 24, "split: even and odd columns, 16 wide", "bold left")
    for x in range(16):
        place, odd = divmod(x, 2)
        top = 56 + high * (place // 4) + 82 * odd
        d.box(660 + box * (place % 4), top, box, high, f"0,{x}", "two" if odd else "one")
    for bank in range(4):
        d.text(660 + box * (bank + 0.5), 46, f"bank {bank}", "small")
    d.text(635, 82, "even", "small")
    d.text(635, 164, "odd", "small")
    d.text(764, 208, "the odd plane lies w_half words later", "note")

    d.text(
        30, 275, "tap-packed, TRIPLE, slots of one byte: the word of token x (W = 32)", "bold left"
    )
    for q, (text, kind) in enumerate(
        (("channels of x-1", "one"), ("channels of x", "three"), ("channels of x+1", "two"))
    ):
        d.box(60 + 130 * q, 310, 130, 30, text, kind)
        d.text(60 + 130 * (q + 0.5), 298, f"slot {q}: bits {8 * q} to {8 * q + 7}", "small")
    d.box(450, 310, 100, 30, "0 when read", "none")
    d.text(600, 275, "PAIR, slots of two bytes", "bold left")
    for q, (text, kind) in enumerate((("channels of x-1", "one"), ("channels of x", "three"))):
        d.box(620 + 130 * q, 310, 130, 30, text, kind)
        d.text(620 + 130 * (q + 0.5), 298, f"slot {q}: bits {16 * q} to {16 * q + 15}", "small")

    d.text(30, 385, "channel-packed words: a token a word", "bold left")
    d.text(500, 385, "token-packed words: a channel a word", "bold left")
    for token in range(4):
        for channel in range(8):
            kind = "two" if channel == 2 else "one" if token == 1 else "data"
            d.box(110 + 40 * channel, 420 + 30 * token, 40, 30, f"c{channel}", kind)
        d.text(68, 435 + 30 * token, f"token {token}", "small")
    for channel in range(4):
        for token in range(8):
            kind = "two" if channel == 2 else "one" if token == 1 else "data"
            d.box(590 + 40 * token, 420 + 30 * channel, 40, 30, f"n{token}", kind)
        d.text(548, 435 + 30 * channel, f"channel {channel}", "small")
    d.text(270, 560, "bit c of the word of token n; token 1 and channel 2 marked", "note")
    d.text(750, 560, "bit n of the word of channel c; the same spikes", "note")
    d.text(
        470,
        605,
        "Layers contract over channels and read the first kind; a map times values contracts over "
        "tokens and reads the second.",
        "note",
    )
    return d


def writeback() -> Drawing:
    """Draw how the spikes of a tile are written, by destination."""
    d = Drawing(940, 420, "Write-back of a tile by token, by taps and turned around")
    d.text(150, 22, "a tile's spikes: R rows x C lanes", "bold")
    for row in range(ROWS):
        for lane in range(COLS):
            kind = "one" if row == 1 else "two" if lane == 5 else "data"
            d.box(50 + 25 * lane, 50 + 25 * row, 25, 25, "", kind)
        d.text(25, 62 + 25 * row, f"row {row}", "small")
    d.text(150, 165, "row r is token n = nb + r, lane c its channel", "note")

    d.text(610, 22, "ROW, COL_TOKEN: a row a cycle, each to the bank of its token", "bold")
    for row in range(ROWS):
        d.text(380, 62 + 30 * row, f"cycle r = {row}", "small")
        for part in range(2):
            kind = ("one" if row == 1 else "data") if part == 0 else "none"
            text = f"bank (nb + {row}) mod R: slot of C bits" if part == 0 else "zero extension"
            d.box(420 + 240 * part, 50 + 30 * row, 240, 26, text, kind)

    d.text(220, 215, "ROW_TAPS: token x in one cycle to three words", "bold")
    for n, (name, slot) in enumerate((("bank of x-1", 2), ("bank of x", 1), ("bank of x+1", 0))):
        d.text(65, 248 + 36 * n, name, "small")
        for q in range(3):
            text, kind = (f"x, slot {q}", "one") if q == slot else ("kept", "none")
            d.box(115 + 90 * q, 235 + 36 * n, 90, 26, text, kind)
    d.text(240, 355, "byte enables write one slot; the others stay as they are", "note")

    d.text(690, 215, "COL_CHANNEL: a lane's bits of 8 tokens, R = 4", "bold")
    for n, text in enumerate(("even tile", "odd tile")):
        d.text(475, 248 + 46 * n, text, "small")
        d.box(530, 235 + 46 * n, 150, 26, "tokens 0 to 3, kept" if n else "tokens 0 to 3", "two")
        d.box(680, 235 + 46 * n, 150, 26, "tokens 4 to 7" if n else "0", "two" if n else "none")
    d.text(680, 335, "one write of a byte for every lane at once, after row R-1", "note")
    d.text(680, 355, "ROW_CHANNEL: the same byte, R lanes a cycle, in C/R cycles", "note")
    return d


def pipeline() -> Drawing:
    """Draw what the lanes do in the cycles after tau."""
    cols = 16
    write = timing.write_cycle(Config(rows=ROWS, cols=cols))
    stop = write + ROWS
    d = Drawing(940, 330, "The lanes' pipeline in cycles after tau")
    unit, left, top = 24.0, 92, 70
    for cycle in range(stop + 1):
        d.text(left + unit * (cycle + 0.5), 50, cycle, "small")
    d.text(left + unit * stop / 2, 24, "cycles after tau; C = 16 lanes, R = 4 rows", "bold")
    stages = (
        (timing.ACC, "sum", "data"),
        (timing.S_READY, "S", "one"),
        (timing.PRODUCT, "P", "two"),
        (timing.X, "x", "two"),
        (timing.Y, "y", "two"),
        (timing.SPIKE, "sp", "three"),
    )
    for line, (lane, row) in enumerate(((0, 0), (0, 1), (1, 0), (2, 0), (cols - 1, 0))):
        y = top + 36 * line
        d.text(48, y + 14, f"lane {lane}, row {row}", "small")
        for at, text, kind in stages:
            d.box(left + unit * (at + lane + row), y, unit, 28, text, kind)
    y = top + 36 * 5 + 6
    d.text(48, y + 14, "write", "small")
    for row in range(ROWS):
        d.box(left + unit * (write + row), y, unit, 28, f"r{row}", "one")
    d.text(
        left,
        y + 58,
        f"write_cycle = SPIKE + 1 + C = {write}: a row is written when its last lane has fired, "
        "and the next row a cycle later.",
        "note left",
    )
    return d


FIGURES: dict[str, Callable[[], Drawing]] = {
    "wave.svg": wave,
    "rotation.svg": rotation,
    "layouts.svg": layouts,
    "writeback.svg": writeback,
    "pipeline.svg": pipeline,
}


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figures, or compare them; 0, or 1 where one differs or cannot be written."""
    args = options.parser(
        "benchmarks.figures", "Draw the figures of the docs.", FOLDER, "figures"
    ).parse_args(argv)
    wrong = 0
    for name, draw in FIGURES.items():
        path, text = args.output / name, str(draw())
        if not args.check:
            files.write(path, text, options.CHOOSE)
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            print(f"error: {path} is not what {COMMAND} draws; run it", file=sys.stderr)
            wrong = 1
    if not args.check:
        print(f"{len(FIGURES)} figures in {args.output}")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
