"""Tie-offs of multipliers: those that a router left open are tied to 0, others left as they are."""

from hw.tools.fasm_xc7 import TIED, missing_ties, tie

#: Two multipliers of a tile, of which the second has all its pins tied, and one of another column.
OPEN = "".join(
    f"{line}\n"
    for line in (
        "# of a router",
        "DSP_L_X10Y5.DSP48.DSP_0.AREG_2",
        "DSP_L_X10Y5.DSP48.DSP_0.ZIS_ALUMODE_INVERTED[0]",
        "DSP_L_X10Y5.DSP_0_D24.DSP_GND_L",
        "DSP_L_X10Y5.DSP_0_INMODE3.DSP_VCC_L",
        "DSP_L_X10Y5.DSP48.DSP_1.ZMREG[0]",
        *(f"DSP_L_X10Y5.DSP_1_{port}{n}.DSP_GND_L" for port, n in TIED),
        "DSP_R_X9Y0.DSP48.DSP_1.ZMREG[0]",
        "INT_L_X0Y0.GFAN0.GND_WIRE",
    )
)


def test_what_is_open_is_tied_to_0():
    lines = missing_ties(OPEN)
    assert "DSP_L_X10Y5.DSP_0_INMODE0.DSP_GND_L" in lines
    assert "DSP_L_X10Y5.DSP48.DSP_0.ZIS_INMODE_INVERTED[0]" in lines
    assert "DSP_L_X10Y5.DSP_0_OPMODE6.DSP_GND_L" in lines
    assert "DSP_R_X9Y0.DSP_1_ALUMODE3.DSP_GND_R" in lines
    assert "DSP_R_X9Y0.DSP48.DSP_1.ZIS_ALUMODE_INVERTED[3]" in lines
    assert len(lines) == 2 * (7 + 8)  # INMODE3 of the first is tied, all of the second


def test_what_is_tied_is_left_alone():
    lines = missing_ties(OPEN)
    assert not [line for line in lines if "INMODE3" in line and "X10" in line]
    assert not [line for line in lines if "X10" in line and "DSP_1" in line]


def test_a_file_is_completed_once(tmp_path):
    path = tmp_path / "top.fasm"
    path.write_text(OPEN, encoding="utf-8")
    assert tie(path) == 30
    text = path.read_text(encoding="utf-8")
    assert text.startswith(OPEN)
    assert tie(path) == 0
    assert path.read_text(encoding="utf-8") == text


def test_without_multipliers_nothing_is_added():
    assert missing_ties("CLBLL_L_X2Y1.SLICEL_X0.ALUT.INIT[63:0] = 64'b1\n") == []
