"""The disassembler's text: each operation, each enumeration, each optional part of a line."""

import re

import pytest

from hw.arch import formats, isa
from hw.arch.config import Config
from hw.arch.isa import LEVELS, Dest, Keep, Mod, Op, Pack, Res, Taps
from sw.compiler.__main__ import main
from tests.compiler.handmade import Line, handmade
from tests.fixtures import FIXTURES

TEXTS = FIXTURES / "texts"
MARGIN = " " * 13


def details(op: Op, **fields: int) -> list[str]:
    """Return the lines below the first one of an instruction, without their margin."""
    lines = handmade([Line(op, fields)]).disassemble().splitlines()
    assert lines[1].startswith(f"    0  {op.name}")
    assert lines[-1] == f"   {isa.NI:2d}  HALT  (end)  -> -  [1 cycles]"
    assert all(line.startswith(MARGIN) for line in lines[2:-1])
    return [line.removeprefix(MARGIN) for line in lines[2:-1]]


def detail(start: str, op: Op, **fields: int) -> str:
    """Return the one line below an instruction that begins with the word ``start``."""
    (line,) = (line for line in details(op, **fields) if line.split()[0] == start)
    return line


def absent(start: str, op: Op, **fields: int) -> bool:
    """Whether no line below an instruction begins with the word ``start``."""
    return all(line.split()[0] != start for line in details(op, **fields))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("best_digits", [str(FIXTURES / "best_digits.weights.npz"), "--fit", "--disassemble"]),
        ("digits-qsnn", ["digits-qsnn", "--fit", "--stream", "--disassemble"]),
    ],
)
def test_whole_text_of_a_network(name, arguments, capsys):
    """Report and program as the command of these arguments prints them."""
    assert main(arguments) == 0
    assert capsys.readouterr().out == (TEXTS / f"{name}.txt").read_text(encoding="utf-8")


def test_head_of_a_program():
    program = handmade(
        [Line(Op.POOL, cycles=70)],
        name="tiny",
        digest=0xABC,
        steps=5,
        config=Config(rows=8, cols=32, width=64),
    )
    assert program.disassemble().splitlines()[0] == (
        f"program tiny: {2 * isa.NI} words, 71 cycles, R = 8, C = 32, W = 64, T = 5, "
        "digest 0x00000abc"
    )


def test_addresses_and_first_lines():
    """An address counts instructions and tables; a first line tells what is written."""
    program = handmade(
        [
            Line(Op.TABLE, label={"layer": "lif"}, cycles=9, table=(3, 4, 5)),
            Line(Op.GEMM, label={"layer": "a", "tensor": "x"}, cycles=20),
            Line(Op.MAC, label={"layer": "b", "tensor": "x,y", "residual": "z"}, cycles=300),
            Line(Op.MEAN, label={"layer": "c", "residual": "z"}),
            Line(Op.POOL, label={"layer": "d"}, cycles=2),
        ]
    )
    text = program.disassemble()
    assert text.endswith("cycles]\n")
    assert [line for line in text.splitlines()[1:] if not line.startswith(MARGIN)] == [
        "    0  TABLE  lif  -> -  [9 cycles]",
        f"   {isa.NI + 3}  GEMM  a  -> x  [20 cycles]",
        f"   {2 * isa.NI + 3}  MAC   b  -> x, y, z  [300 cycles]",
        f"   {3 * isa.NI + 3}  MEAN  c  -> z  [1 cycles]",
        f"  {4 * isa.NI + 3}  POOL  d  -> -  [2 cycles]",
        f"  {5 * isa.NI + 3}  HALT  (end)  -> -  [1 cycles]",
    ]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 17])
def test_thresholds_stand_eight_in_a_line(count):
    values = [100 * n + 7 for n in range(count)]
    for once in (0, 1):
        line = Line(Op.TABLE, {"once": once}, table=tuple(values))
        text = handmade([line]).disassemble()
        lines = [line for line in text.splitlines() if line.startswith(MARGIN)]
        assert lines == [f"{MARGIN}kept for later runs"] * once + [
            f"{MARGIN}thresholds {' '.join(map(str, values[at : at + 8]))}"
            for at in range(0, count, 8)
        ]


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (
            Op.GEMM,
            [
                "loops -  tile>=0  image 0x0",
                "row @0x0000",
                "col @0x0000",
                "lanes shift 4 theta 0 last 0",
            ],
        ),
        (
            Op.MAC,
            [
                "loops -  tile>=0  image 0x0",
                "pix @0x0000",
                "col @0x0000",
                "lanes shift 4 theta 0 last 0",
            ],
        ),
        (Op.POOL, ["loops -  tile>=0  image 0x0", "row @0x0000"]),
        (
            Op.MEAN,
            ["loops -  tile>=0  image 0x0", "res @0x0000", "lanes shift 4 theta 0 last 0"],
        ),
    ],
)
def test_blank_instruction(op, text):
    assert details(op) == text


def test_loops_longer_than_one():
    counts = {f"n_{level}": n for n, level in enumerate(LEVELS, 1)}
    assert detail("loops", Op.GEMM, **counts, tile_min=44, img_w=55, img_h=66) == (
        "loops dx:2 dy:3 t:4 x:5 y:6 j:7 h:8  tile>=44  image 55x66"
    )
    assert detail("loops", Op.GEMM, n_k=2).startswith("loops k:2  tile")


FLAGS = (
    "xnor",
    "double",
    "rowpop",
    "soft",
    "flat",
    "x_twice",
    "y_twice",
    "odd_w",
    "factor_per_step",
    "head_align",
)


@pytest.mark.parametrize("flag", FLAGS)
def test_flag(flag):
    assert detail("loops", Op.GEMM, **{flag: 1}) == f"loops -  tile>=0  image 0x0  {flag}"


def test_all_flags():
    fields = dict.fromkeys(FLAGS, 1) | {"pack": Pack.PAIR, "taps": Taps.POOL, "spread": 1}
    assert detail("loops", Op.GEMM, **fields) == (
        f"loops -  tile>=0  image 0x0  {' '.join(FLAGS)} pack=PAIR/1B taps=POOL spread=1"
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"slot_bytes_log2": 3}, ""),
        ({"pack": Pack.PAIR}, "  pack=PAIR/1B"),
        ({"pack": Pack.TRIPLE, "slot_bytes_log2": 1}, "  pack=TRIPLE/2B"),
        ({"pack": Pack.PAIR, "slot_bytes_log2": 3}, "  pack=PAIR/8B"),
        ({"taps": Taps.SIDE}, ""),
        ({"taps": Taps.STRIDE}, "  taps=STRIDE"),
        ({"taps": Taps.POOL}, "  taps=POOL"),
        ({"n_spread": 15}, ""),
        ({"spread": 1, "n_spread": 15}, "  spread=16"),
    ],
)
def test_flag_with_a_value(fields, text):
    assert detail("loops", Op.GEMM, **fields) == f"loops -  tile>=0  image 0x0{text}"


@pytest.mark.parametrize(
    ("op", "names"),
    [
        (Op.GEMM, {"row": "row", "col": "col"}),
        (Op.MAC, {"pix": "row", "col": "col"}),
        (Op.POOL, {"row": "row"}),
        (Op.MEAN, {"res": "row"}),
    ],
)
def test_addresses(op, names):
    """Base and the deltas of levels that are looped over, each with its sign."""
    fields = {"n_k": 3, "n_y": 2, "row_base": 0x12, "col_base": 0xFFEF}
    fields |= {"row_k": 10, "row_y": -20, "row_j": 7, "col_k": -30, "col_y": 0, "col_h": 7}
    lines = [line for line in details(op, **fields) if "@" in line]
    text = {"row": "@0x0012  k+10 y-20", "col": "@0xffef  k-30 y+0"}
    assert lines == [f"{name} {text[prefix]}" for name, prefix in names.items()]


def test_deltas_of_every_level():
    fields = {f"n_{level}": 2 for level in LEVELS}
    for n, level in enumerate(LEVELS, 1):
        fields |= {f"row_{level}": n, f"col_{level}": -n}
    fields |= {"row_dx2": 2, "row_dy2": 3, "col_dx2": -2, "col_dy2": -3}
    assert detail("row", Op.GEMM, **fields) == "row @0x0000  k+1 dx+2 dy+3 t+4 x+5 y+6 j+7 h+8"
    assert detail("col", Op.GEMM, **fields) == "col @0x0000  k-1 dx-2 dy-3 t-4 x-5 y-6 j-7 h-8"


def test_deltas_from_odd_indices():
    fields = {"n_dx": 2, "n_dy": 2, "row_dx": 5, "row_dx2": -5, "row_dy": 6, "row_dy2": 6}
    fields |= {"col_dx": -1, "col_dx2": -1, "col_dy": -2, "col_dy2": 0}
    assert detail("row", Op.GEMM, **fields) == "row @0x0000  dx+5/-5 dy+6"
    assert detail("col", Op.GEMM, **fields) == "col @0x0000  dx-1 dy-2/+0"


def test_parameters():
    fields = {"par_base": 0xAB, "par_j": 3, "par_h": 4}
    assert absent("par", Op.GEMM, **fields)
    assert detail("par", Op.GEMM, n_par=17, **fields) == "par @0x00ab  17 words  j+3 h+4"


@pytest.mark.parametrize("index", range(len(formats.SHIFTS)))
def test_lanes(index):
    assert detail("lanes", Op.GEMM, shift=index, theta=131071, lanes=64) == (
        f"lanes shift {formats.SHIFTS[index]} theta 131071 last 64"
    )


@pytest.mark.parametrize(
    ("channels", "text"),
    [
        (1, "[10]"),
        (3, "[10, -11, 12]"),
        (7, "[10, -11, 12, -13, 14, -15, 16]"),
        (8, "[10, -11, 12, -13, 14, -15, 16, -17]"),
        (9, "[10, -11, 12, -13, 14, -15, 16, -17]"),
    ],
)
def test_pixels_and_their_centres(channels, text):
    centres = {f"centre{k}": (10 + k) * (-1) ** k for k in range(isa.CENTRES)}
    assert detail("pixel", Op.MAC, n_k=channels, pix_shift=5, **centres) == f"pixel << 5 - {text}"


def test_pixels_that_are_not_shifted():
    """A centre is told where there is no shift too; the head's MAC has neither."""
    assert detail("pixel", Op.MAC, n_k=2, centre1=128) == "pixel << 0 - [0, 128]"
    assert detail("pixel", Op.MAC, n_k=2, pix_shift=1) == "pixel << 1 - [0, 0]"
    assert absent("pixel", Op.MAC, n_k=2)
    assert absent("pixel", Op.GEMM, pix_shift=3)


@pytest.mark.parametrize("bits", range(len(formats.STATE_BITS)))
@pytest.mark.parametrize("shift", range(len(formats.STATE_SHIFTS)))
def test_membranes(bits, shift):
    fields = {"state_bits": bits, "state_shift": shift, "st_base": 0x1C0}
    text = f"membranes of {formats.STATE_BITS[bits]} bits << {formats.STATE_SHIFTS[shift]}"
    assert absent("membranes", Op.GEMM, persist=1, **fields)
    assert detail("membranes", Op.GEMM, leak=1, **fields) == text
    assert detail("membranes", Op.GEMM, leak=1, persist=1, **fields) == (
        f"{text}, in memory from group 0x01c0"
    )


def test_shortcut():
    fields = {"sc_base": 0x20, "sc_gs": 3, "sc_t": 4, "sc_byte": 5, "sc_value": -6}
    assert absent("shortcut", Op.GEMM, **fields)
    assert detail("shortcut", Op.GEMM, shortcut=1, **fields) == (
        "shortcut @0x0020  group+3 t+4 byte 5, a spike adds -6"
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, None),
        ({"res": Res.SPIKE}, None),
        ({"res_dest": 1}, None),
        ({"res": Res.ADD}, "res ADD"),
        ({"res": Res.AVERAGE, "res_dest": 1}, "res AVERAGE"),
        ({"keep": Keep.Y}, "res NONE, Y kept in A"),
        ({"keep": Keep.Y, "res": Res.SPIKE, "res_dest": 1}, "res SPIKE, Y kept in B"),
        ({"keep": Keep.SPIKE, "res": Res.ADD, "res_dest": 1}, "res ADD, SPIKE kept in B"),
    ],
)
def test_residuals(fields, text):
    fields = {"res_gs": 8, "res_j": 9, **fields}
    if text is None:
        assert absent("res", Op.GEMM, **fields)
    else:
        assert detail("res", Op.GEMM, **fields) == f"{text}  group+8 j+9"


WRITE = {
    "w_base": 0x1B5,
    "w_gs": 2,
    "w_t": 3,
    "w_j": 4,
    "slots": 5,
    "w_pack": Pack.PAIR,
    "w_slot_log2": 2,
    "w_img_w": 7,
    "w_half": 8,
    "w_chan_gs": 9,
}


@pytest.mark.parametrize(
    ("dest", "mod", "text"),
    [
        (Dest.ROW, Mod.ROWS, "ROW @0x01b5  group+2 per ROWS  t+3  j+4 per 5 slots"),
        (
            Dest.ROW,
            Mod.PAIR,
            "ROW @0x01b5  group+2 per PAIR  t+3  j+4 per 5 slots  odd columns+8",
        ),
        (
            Dest.ROW_TAPS,
            Mod.ROWS,
            "ROW_TAPS @0x01b5  group+2 per ROWS  t+3  j+4 per 5 slots  PAIR/4B width 7",
        ),
        (
            Dest.ROW_TAPS,
            Mod.PAIR,
            "ROW_TAPS @0x01b5  group+2 per PAIR  t+3  j+4 per 5 slots  PAIR/4B width 7"
            "  odd columns+8",
        ),
        (Dest.COL_TOKEN, Mod.COLS, "COL_TOKEN @0x01b5  group+2 per COLS  t+3  j+4 per 5 slots"),
        (
            Dest.COL_CHANNEL,
            Mod.WORD,
            "COL_CHANNEL @0x01b5  group+2 per WORD  t+3  j+4 per 5 slots",
        ),
        (
            Dest.ROW_CHANNEL,
            Mod.WORD,
            "ROW_CHANNEL @0x01b5  group+2 per WORD  t+3  j+4 per 5 slots  channels+9",
        ),
        (Dest.PIX, Mod.ROWS, "PIX @0x01b5  group+2 per ROWS  t+3  j+4 per 5 slots"),
    ],
)
def test_destination(dest, mod, text):
    assert detail("dest", Op.GEMM, dest=dest, w_mod=mod, **WRITE) == f"dest {text}"


@pytest.mark.parametrize("pack", Pack)
def test_packing_of_a_destination(pack):
    fields = WRITE | {"w_pack": pack, "w_slot_log2": pack}
    line = detail("dest", Op.POOL, dest=Dest.ROW_TAPS, **fields)
    assert line.endswith(f"5 slots  {pack.name}/{1 << pack}B width 7")


def test_no_destination():
    assert absent("dest", Op.GEMM, dest=Dest.NONE, w_mod=Mod.PAIR, **WRITE)


def test_order_of_lines():
    fields = {"n_par": 2, "leak": 1, "shortcut": 1, "keep": Keep.Y, "dest": Dest.ROW}
    assert [line.split()[0] for line in details(Op.GEMM, **fields)] == [
        "loops",
        "row",
        "col",
        "par",
        "lanes",
        "membranes",
        "shortcut",
        "res",
        "dest",
    ]
    fields = {"pix_shift": 1, "leak": 1}
    assert [line.split()[0] for line in details(Op.MAC, **fields)] == [
        "loops",
        "pix",
        "col",
        "lanes",
        "pixel",
        "membranes",
    ]


def test_every_operation_has_a_text():
    """One of each in a row: the text is whole, whatever the others hold."""
    lines = [Line(op) for op in Op if op != Op.HALT]
    found = re.findall(r"^ *\d+  (\w+)", handmade(lines).disassemble(), re.MULTILINE)
    assert found == [op.name for op in Op if op != Op.HALT] + ["HALT"]
