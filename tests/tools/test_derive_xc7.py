"""Cell delays from the timing files of Project X-Ray's database."""

import os
from pathlib import Path

import pytest

from hw.arch import SpikeloomError
from hw.tools import derive_xc7
from hw.tools.delays_xc7 import DELAYS
from hw.tools.derive_xc7 import FILES, FOLDER, RECIPES, Entry, Term, derive, main, parse, read

SDF = """\
(DELAYFILE
    (SDFVERSION "3.0")
    (TIMESCALE 1ns)
    (CELL
        (CELLTYPE "LUT6")
        (INSTANCE SLICEL/A6LUT)
        (DELAY
            (ABSOLUTE
                (IOPATH A1 O6 (0.045::0.056)(0.100::0.124))
                (IOPATH A2 O6 (0.045::0.056)(0.100::0.136))
            )
        )
    )
    (CELL
        (CELLTYPE "REG_INIT_FF")
        (INSTANCE SLICEL)
        (DELAY
            (ABSOLUTE
                (IOPATH CLK Q (0.112::0.139)(0.274::0.340))
            )
        )
        (TIMINGCHECK
            (HOLD CE (posedge CLK) (-0.011::0.002))
            (SETUP CE (posedge CLK) (0.088::0.109))
            (SETUP DIN (posedge CLK) (-0.055::-0.045))
        )
    )
    (CELL
        (CELLTYPE "ROUTING_BEL")
        (INSTANCE SLICEL/AFF)
        (DELAY
            (ABSOLUTE
                (INTERCONNECT clk aff (0.046::0.057)(0.126::0.156))
            )
        )
    )
)
"""


def test_parse_takes_the_slowest_of_each_line():
    assert list(parse(SDF)) == [
        Entry("LUT6", "SLICEL/A6LUT", "IOPATH", "A1", "O6", 0.124),
        Entry("LUT6", "SLICEL/A6LUT", "IOPATH", "A2", "O6", 0.136),
        Entry("REG_INIT_FF", "SLICEL", "IOPATH", "CLK", "Q", 0.34),
        Entry("REG_INIT_FF", "SLICEL", "SETUP", "CE", "CLK", 0.109),
        Entry("REG_INIT_FF", "SLICEL", "SETUP", "DIN", "CLK", -0.045),
        Entry("ROUTING_BEL", "SLICEL/AFF", "INTERCONNECT", "clk", "aff", 0.156),
    ]


def test_a_delay_is_the_sum_of_the_slowest_of_each_kind():
    entries = list(parse(SDF))
    chosen = {name: RECIPES[name] for name in ("lut", "ff.clock")}
    assert derive(entries, chosen) == {"lut": 0.136, "ff.clock": 0.496}
    with pytest.raises(SpikeloomError, match=r"no entry of the timing files matches .*'A\[9\]'"):
        derive(entries, {"none": (Term("IOPATH", "LUT6", "A[9]", "O6"),)})


def test_the_command_prints_the_table(tmp_path, monkeypatch, capsys):
    (tmp_path / FOLDER).mkdir(parents=True)
    for name in FILES:
        (tmp_path / FOLDER / name).write_text("(DELAYFILE\n)\n", encoding="utf-8")
    (tmp_path / FOLDER / FILES[0]).write_text(SDF, encoding="utf-8")
    chosen = {name: RECIPES[name] for name in ("lut", "ff.clock")}
    monkeypatch.setattr(derive_xc7, "RECIPES", chosen)
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.endswith('DELAYS = {\n    "lut": 0.136,\n    "ff.clock": 0.496,\n}\n')
    assert 'LICENCE = "CC0-1.0"' in out
    assert main([str(tmp_path), "--output", str(tmp_path / "delays.py")]) == 0
    assert (tmp_path / "delays.py").read_text(encoding="utf-8") == out


def test_a_folder_that_is_no_checkout(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert "slicel.sdf: cannot be read" in capsys.readouterr().err


@pytest.mark.skipif(not os.environ.get("PRJXRAY_DB"), reason="PRJXRAY_DB names no checkout")
def test_the_table_is_what_a_checkout_has():
    assert derive(read(Path(os.environ["PRJXRAY_DB"])), RECIPES) == DELAYS
