"""``python -m sw.compiler``."""

import re

from hw.arch.config import Config
from sw.compiler import compile_network, fit_config
from sw.compiler.__main__ import main
from sw.testing import random_network, random_residual_network
from tests.networks import PART


def test_command_line(small, tmp_path, capsys):
    net = random_network(1, **small)
    net.save(tmp_path / "net.npz")
    out = tmp_path / "program.npz"
    assert (
        main(
            [
                str(tmp_path / "net.npz"),
                "--config",
                "rows=8,row_depth=64",
                "--fit",
                "--output",
                str(out),
                "--disassemble",
            ]
        )
        == 0
    )
    text = capsys.readouterr().out
    program = compile_network(net, fit_config(net, Config(rows=8, row_depth=64)))
    assert f"{program.cycles} cycles" in text
    assert all(layer.name in text for layer in net.layers)
    assert "of the peak" in text
    assert out.exists()
    for config, message in (
        ("rows=8,foo=1", "no field 'foo'"),
        ("rows=x", "is no integer"),
        ("rows=5", "must be 4, 8 or 16"),
        ("acc_bits=9,res_depth=64", ""),
    ):
        status = main([str(tmp_path / "net.npz"), "--config", config])
        err = capsys.readouterr().err
        assert status == (1 if message else 0)
        assert message in err
    assert main([str(tmp_path / "net.npz"), "--board", "nothing"]) == 1
    assert "unknown board" in capsys.readouterr().err


def test_command_line_places_memories_on_a_part(tmp_path, capsys):
    net = random_residual_network(3, **PART, flatten=False)
    net.save(tmp_path / "net.npz")
    assert main([str(tmp_path / "net.npz"), "--part", "ice40up5k"]) == 0
    out = capsys.readouterr().out
    assert "FITS: 30 of 30 SB_RAM40_4K, 2 of 4 SB_SPRAM256KA" in out
    assert "on 4 rows x 8 columns x 32 bits" in out
    assert main([str(tmp_path / "net.npz"), "--part", "ice40up5k", "--board", "arty_a7"]) == 1
    captured = capsys.readouterr()
    assert "DOES NOT FIT" in captured.out
    assert re.search(
        r"has 30 SB_RAM40_4K, these memories take \d+; choose a smaller core", captured.err
    )
    assert main([str(tmp_path / "net.npz"), "--part", "ice40"]) == 1
    assert "unknown part 'ice40'; known parts: ice40up5k" in capsys.readouterr().err
