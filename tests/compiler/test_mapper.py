"""What a network needs of a core, and misfits."""

import dataclasses

import pytest

from hw.arch import SpikeloomError, isa
from hw.arch.config import Config
from hw.arch.parts import part
from sw.compiler import compile_network, fit_config, required
from sw.compiler.mapper import Mapper
from sw.testing import random_network, random_residual_network
from tests.compiler.nets import conv, mean, network, pixel


def test_all_misfits_are_told_at_once(small):
    net = random_network(1, **small | {"height": 24, "width": 24, "dim": 48})
    few = Config(row_depth=64, col_depth=64, res_depth=64, pix_depth=64, prog_depth=64, acc_bits=8)
    with pytest.raises(SpikeloomError) as e:
        compile_network(net, few)
    needs = required(net, few)
    assert (needs.pop("state_bits"), needs.pop("res_bits")) == (0, 18)
    assert needs.pop("pool_depth") <= few.pool_depth  # else the pools have instructions
    for field, least in needs.items():
        assert f"{field} >= {least} would make it fit" in str(e.value), field
    assert "row memory: " in str(e.value)
    exact = dataclasses.replace(few, **needs)
    assert fit_config(net, few) == exact
    assert compile_network(net, exact).config == exact
    for field, least in needs.items():
        with pytest.raises(SpikeloomError, match=f"{field} >= {least} would") as e:
            compile_network(net, dataclasses.replace(exact, **{field: least - 1}))
        assert len(str(e.value).splitlines()) == 2


def test_needs_do_not_depend_on_depths(small):
    net = random_network(1, **small)
    assert required(net, Config()) == required(net, Config(row_depth=64, acc_bits=16))


def test_more_than_any_core_holds(small):
    net = random_network(
        1, **small | {"height": 150, "width": 150, "channels": 3, "variant": "imagenet", "steps": 1}
    )
    with pytest.raises(SpikeloomError, match=r"no pix_depth is large enough \(at most 65536\)"):
        compile_network(net, Config(pixels=1))
    with pytest.raises(SpikeloomError, match="row memory: 11400 words per bank needed, 2048") as e:
        compile_network(net)  # the image lies there: 150 rows of 38 words, and the spikes
    assert len(str(e.value).splitlines()) == 2  # all else fits


def test_words_of_one_bit_hold_spikes_alone():
    """A projection keeps sums, which a core of single bits refuses."""
    sizes = dict(height=8, width=8, channels=1, widths=(8, 16), steps=2, classes=10, bits=2)
    config = dataclasses.replace(part("ice40up5k").config, res_depth=1024)
    plain = random_residual_network(1, flatten=False, **sizes)
    assert required(plain, config)["res_bits"] == 1
    compile_network(plain, config)
    projected = random_residual_network(1, blocks=(1, 1), **sizes)
    with pytest.raises(SpikeloomError, match="residual words: 18 bits needed, 1 there; res_bits"):
        compile_network(projected, config)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_misfits_of_a_stream_are_told_at_once(bits):
    net = random_residual_network(
        1,
        height=16,
        width=16,
        channels=1,
        widths=(20, 40),
        blocks=(1, 1),
        bits=bits,
        steps=1,
        stream=True,
        classes=10,
    )
    few = Config(
        row_depth=64,
        col_depth=64,
        res_depth=64,
        pix_depth=64,
        prog_depth=64,
        acc_bits=8,
        state_bits=0,
        res_bits=1,
        pixels=1,
    )
    needs = required(net, few)
    assert needs["state_bits"] == bits
    assert needs.pop("pool_depth") == 0
    with pytest.raises(SpikeloomError) as e:
        compile_network(net, few)
    for field, least in needs.items():
        assert f"{field} >= {least} would make it fit" in str(e.value), field
    assert f"stored membranes: {bits} bits needed, 0 there" in str(e.value)
    exact = fit_config(net, few)
    assert exact == dataclasses.replace(few, **needs)
    assert compile_network(net, exact).config == exact


def test_a_wide_enough_config_is_left_alone(small):
    net = random_network(1, **small)
    assert fit_config(net, Config()).state_bits == 8
    assert fit_config(net, Config(state_bits=0)).state_bits == 0


def test_needs_by_hand():
    """A pixel layer, a 1x1 layer of 20 channels, a mean: every memory counted."""
    net = network(pixel(), conv("a", "p", out=20, size=1), mean("a.s"), inputs=20, side=(5, 6))
    assert required(net, Config(rows=8, means=0)) == {
        "row_depth": 64,  # 30 tokens in 4 groups, 2 steps: 8 words; 5 of the image
        "col_depth": 64,  # parameters 2 + 4 + 2 + 2, weights 9 + 2 * 1 + 32 words: 53
        "res_depth": 128,  # 2 column tiles x 2 steps x 4 groups x 8
        "pix_depth": 64,  # 32 features, 16 logits: 48
        "prog_depth": 5 * isa.NI,
        "acc_bits": 8,  # 5 would do for a sum of 8
        "state_bits": 0,
        "res_bits": 1,
        "pool_depth": 0,
    }
    assert required(net, Config(rows=8, pixels=1))["pix_depth"] == 78  # 30 pixels more
    summed = required(net, Config(rows=8))  # by the lanes: an instruction and a buffer less
    assert (summed["prog_depth"], summed["res_depth"]) == (4 * isa.NI, 64)


def test_needs_below_the_smallest_core():
    net = network(pixel(), conv("a", "p", out=20, size=1), mean("a.s"), inputs=20, side=(5, 6))
    needs = Mapper(net, Config(rows=8, means=0)).needs
    names = ("row_depth", "col_depth", "pix_depth", "acc_bits")
    assert [needs[name] for name in names] == [8 + 5, 53, 48, 5]
    needs = Mapper(net, Config(rows=8, means=0, pixels=1)).needs
    assert [needs[name] for name in names] == [8, 53, 78, 5]


def test_misfit_of_one_setting():
    net = network(pixel(), conv("a", "p", out=20, size=1), mean("a.s"), inputs=20, side=(5, 6))
    assert Mapper(net, Config(rows=8)).misfits() == []
    assert Mapper(net, Config(rows=8, pix_depth=77)).misfits() == []
    assert Mapper(net, Config(rows=8, pix_depth=77, pixels=1)).misfits() == [
        "pixel memory: 78 words needed, 77 there; pix_depth >= 78 would make it fit"
    ]
    wide = network(pixel(), conv("a", "p", out=20), mean("a.s"), inputs=20, side=(5, 6))
    assert Mapper(wide, Config(acc_bits=8)).misfits() == []  # 72 at most
    assert Mapper(
        network(pixel(15), conv("a", "p", 15), mean("a.s")), Config(acc_bits=8)
    ).misfits() == ["element accumulators: 9 bits needed, 8 there; acc_bits >= 9 would make it fit"]


def test_pieces_run_by_turns():
    """Each piece runs all of its layers before the next."""
    net = network(pixel(), conv("a", "p", out=80), mean("a.s"), inputs=80, side=(3, 6))
    assert len(Mapper(net, Config(res_depth=100)).labels) == 4  # the lanes sum: nothing is kept
    mapper = Mapper(net, Config(res_depth=100, means=0))
    assert [(label.layer, label.first) for label in mapper.labels] == [
        ("pixel", 0),
        *(("a", 0), ("mean", 0), ("a", 32), ("mean", 32), ("a", 64), ("mean", 64)),
        ("logits", 0),
        ("(end)", 0),
    ]
    assert mapper.ops == [("a", 80 * 8 * 7 * 16 * 2)]
