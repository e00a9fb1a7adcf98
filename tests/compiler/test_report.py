"""The report's text: cycles, memories, membranes, and what a part takes of them."""

import textwrap

import pytest

from hw.arch import formats, parts
from hw.arch.config import Config
from hw.arch.isa import Op
from sw.compiler import Region
from sw.compiler.report import WIDTHS, Membranes, membrane_text, membranes, part_text, report
from tests.compiler.handmade import Line, handmade


def neuron(theta: int = 9, **fields: int) -> dict[str, int]:
    """Return the fields of an instruction with a neuron."""
    return {"theta": theta, **fields}


def held(text: str) -> str:
    """Return an expected text without the indentation of the source and the break at its head."""
    return textwrap.dedent(text).removeprefix("\n")


def test_whole_report():
    """Layers in pieces, all memories, a stream: every table of it."""
    program = handmade(
        [
            Line(Op.TABLE, label={"layer": "stem"}, cycles=7, table=(1,)),
            Line(Op.MAC, neuron(), {"layer": "stem", "shape": (4, 2, 3)}, cycles=100),
            Line(Op.GEMM, neuron(), {"layer": "conv", "shape": (8, 2, 3)}, cycles=200),
            Line(Op.GEMM, neuron(), {"layer": "conv", "first": 8, "shape": (8, 2, 3)}, cycles=99),
            Line(Op.GEMM, {}, {"layer": "empty"}, cycles=93),
            Line(Op.POOL, {}, {"layer": "a long name of a pool"}, cycles=500),
        ],
        name="tiny",
        steps=3,
        config=Config(rows=4, cols=8, row_depth=64, col_depth=128, res_depth=256, pix_depth=512),
        ops=(("conv", 12345), ("stem", 77)),
        regions=(
            Region(name="image", memory="pix", base=0, size=6),
            Region(name="second", memory="row", base=30, size=4),
            Region(name="first", memory="row", base=0, size=10),
            Region(name="constants", memory="col", base=0, size=128),
            Region(name="program", memory="prog", base=0, size=204),
        ),
    )
    assert report(program) == held("""
        tiny on 4 rows x 8 columns x 32 bits, 3 steps

        layer                     op  cycles    share  binary ops  of peak
        stem                   TABLE       7    0.7 %           0        -
        stem                     MAC     100   10.0 %           0        -
        conv                    GEMM     200   20.0 %        8258      4 %
        conv                    GEMM      99    9.9 %        4087      4 %
        empty                   GEMM      93    9.3 %           0        -
        a long name of a pool   POOL     500   50.0 %           0        -
        (end)                   HALT       1    0.1 %           0        -
        total                           1000  100.0 %       12422    1.2 %

        memory               base  words
        row  second            30      4
        row  first              0     10
        row  used, of 64              34
        col  constants          0    128
        col  used, of 128            128
        res  used, of 256              0
        pix  image              0      6
        pix  used, of 512              6
        prog  program           0    204
        prog  used, of 1024          204

        72 membranes of 18 bits, 4 x 8 at a time in the lanes, none in memory (there they would \
take 144 bits at 2, 288 bits at 4, 576 bits at 8, 1296 bits at 18)

        1000 cycles, 12422 binary operations: 1.2 % of the peak of 1024 per cycle""")


def test_whole_report_of_a_stream():
    state = {"leak": 1, "persist": 1, "state_bits": 1, "n_j": 2, "res_j": 3}
    program = handmade(
        [Line(Op.GEMM, neuron(**state), {"layer": "fc", "shape": (20, 1, 1)}, cycles=3)],
        stream=True,
        steps=1,
        ops=(("fc", 4096),),
        regions=(Region(name="membranes of fc (A)", memory="res", base=0, size=24),),
    )
    assert report(program) == held("""
        hand on 4 rows x 16 columns x 32 bits, stream of images

        layer    op  cycles    share  binary ops  of peak
        fc     GEMM       3   75.0 %        4096     67 %
        (end)  HALT       1   25.0 %           0        -
        total             4  100.0 %        4096   50.0 %

        memory                    base  words
        row  used, of 2048                  0
        col  used, of 1024                  0
        res  membranes of fc (A)     0     24
        res  used, of 1024                 24
        pix  used, of 1024                  0
        prog  used, of 1024                 0

        20 membranes of 4 bits in residual buffer A
        at                   bits  words per lane
        2 bits                 40               3
        4 bits, as compiled    80               6
        8 bits                160              12
        18 bits               360              24

        4 cycles, 4096 binary operations: 50.0 % of the peak of 2048 per cycle""")


def test_membranes_are_counted_once():
    """True sizes of whole tensors: not again for later pieces, nor where no neuron is."""
    program = handmade(
        [
            Line(Op.GEMM, neuron(), {"shape": (10, 3, 5)}),
            Line(Op.GEMM, neuron(), {"shape": (10, 3, 5), "first": 8}),
            Line(Op.GEMM, {"leak": 1}, {"shape": (7, 7, 7)}),
            Line(Op.GEMM, neuron(leak=1, state_bits=2), {"shape": (2, 4, 4)}),
        ]
    )
    assert membranes(program) == Membranes(
        count=182, bits=(8, 18), in_memory=False, words=dict.fromkeys(WIDTHS, 0)
    )


@pytest.mark.parametrize(("index", "bits"), list(enumerate(formats.STATE_BITS)))
def test_widths_of_membranes(index, bits):
    kept = Line(Op.GEMM, neuron(leak=1, state_bits=index), {"shape": (1,)})
    assert membranes(handmade([kept])).bits == (bits,)
    whole = Line(Op.GEMM, neuron(state_bits=index), {"shape": (1,)})
    assert membranes(handmade([whole])).bits == (18,)
    assert membranes(handmade([whole, kept])).bits == (bits, 18)


def test_words_of_membranes_in_memory():
    """A lane's codes, two bytes of them to a word, rounded up layer by layer; 18 bits take one."""
    fields = {"leak": 1, "persist": 1}
    program = handmade(
        [
            Line(Op.GEMM, neuron(**fields, n_j=3, res_j=5), {"shape": (40, 5, 4)}),
            Line(Op.GEMM, neuron(**fields, n_j=1, res_j=1), {"shape": (1,)}),
            Line(Op.GEMM, neuron(leak=1, n_j=9, res_j=9), {"shape": (1,)}),
        ],
        stream=True,
    )
    assert membranes(program).words == {2: 9, 4: 16, 8: 32, 18: 64}
    assert membranes(program).in_memory
    rows8 = handmade(
        [Line(Op.GEMM, neuron(**fields, n_j=3, res_j=5), {"shape": (40, 5, 4)})],
        config=Config(rows=8),
    )
    assert membranes(rows8).words == {2: 15, 4: 30, 8: 60, 18: 120}


def test_total_bits_of_membranes():
    found = Membranes(count=7, bits=(2,), in_memory=True, words={})
    assert [found.total(width) for width in WIDTHS] == [14, 28, 56, 126]
    assert WIDTHS == (2, 4, 8, 18)


def test_membranes_of_two_widths():
    lines = [
        Line(Op.GEMM, neuron(leak=1, state_bits=2), {"shape": (3,)}),
        Line(Op.GEMM, neuron(), {"shape": (4,)}),
        Line(Op.GEMM, neuron(leak=1), {"shape": (5,)}),
    ]
    assert membrane_text(handmade(lines, config=Config(rows=8, cols=32, width=64))) == (
        "12 membranes of 2 and 8 and 18 bits, 8 x 32 at a time in the lanes, none in memory "
        "(there they would take 24 bits at 2, 48 bits at 4, 96 bits at 8, 216 bits at 18)"
    )
    lines = [Line(Op.GEMM, neuron(leak=1, state_bits=2, persist=1, res_j=1), {"shape": (4,)})]
    lines += [Line(Op.GEMM, neuron(leak=1, persist=1, res_j=1), {"shape": (4,)})]
    assert membrane_text(handmade(lines, stream=True)) == held("""
        8 membranes of 2 and 8 bits in residual buffer A
        at       bits  words per lane
        2 bits     16               2
        4 bits     32               2
        8 bits     64               4
        18 bits   144               8""")


def test_no_neurons():
    assert membrane_text(handmade([])).startswith("0 membranes of  bits, 4 x 16 at a time")


def test_memories_on_a_part_that_fits():
    config = parts.part("ice40up5k").config
    program = handmade([], name="tiny", config=config)
    assert part_text(program, parts.fit(config, parts.part("ice40up5k"))) == held("""
        memories on Lattice iCE40UP5K
        memory          banks  bits  words             in      takes
        row                 4    32    256    SB_RAM40_4K          8
        column              8    32    256    SB_RAM40_4K         16
        residual           16     1     16      registers   256 bits
        pixel               1    18    512    SB_RAM40_4K          3
        program             1    32   1024  SB_SPRAM256KA          2
        log                 1    32     64    SB_RAM40_4K          2
        link buffer         1     8    256    SB_RAM40_4K          1
        lane factors        8    18     32      registers  4608 bits
        lane membranes      8    18      8      registers  1152 bits
        spikes in wait      1    32     16      registers   512 bits

        tiny FITS: 30 of 30 SB_RAM40_4K, 2 of 4 SB_SPRAM256KA, 6528 bits in registers; logic is \
not counted here""")


def test_memories_on_a_part_that_does_not_fit():
    config = Config()
    program = handmade([], name="big", config=config)
    found = parts.fit(config, parts.part("ice40up5k"))
    lines = part_text(program, found).splitlines()
    assert lines[-2] == (
        f"big DOES NOT FIT: {found.used['SB_RAM40_4K']} of 30 SB_RAM40_4K, 2 of 4 SB_SPRAM256KA, "
        f"{16 * (18 * 32 + 8 * 18 + 4 * 18) + 64 * 16 + 128 * 16 + 16 * 16} bits in registers; "
        "logic is not counted here"
    )
    assert lines[-1] == (
        f"Lattice iCE40UP5K has 30 SB_RAM40_4K, these memories take {found.used['SB_RAM40_4K']}"
    )
