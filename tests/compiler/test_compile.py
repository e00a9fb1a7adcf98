"""Mapping: fit, forecast, address streams, allocation, the command line."""

import dataclasses
import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cycles import cifar
from hw.arch import SpikeloomError, isa, timing
from hw.arch.config import Config
from hw.arch.isa import LEVELS, Pack
from hw.arch.parts import part
from sim.interpreter import interpret
from sim.interpreter.addresses import offsets
from sw.compiler import compile_network, fit_config, required
from sw.compiler.__main__ import main
from sw.compiler.addresses import stream
from sw.compiler.plan.layout import Allocator, choose_pack
from sw.testing import random_images, random_network, random_residual_network
from tests.networks import MNIST, PART


@pytest.mark.parametrize(("side", "most"), [(16, 25_000), (28, 85_000)], ids=["digits", "mnist"])
def test_small_networks_fit_the_default_core(side, most):
    net = random_network(1, **MNIST | {"height": side, "width": side})
    program = compile_network(net)
    assert program.cycles <= most
    tokens = (side // 4) ** 2
    by_hand = 0
    for out, depth, pixels in (
        (16, 72, side**2),
        (32, 144, side**2),
        (64, 288, side**2 // 4),
        (64, 576, tokens),
        *2 * [(64 * 4 + 256, 64, tokens), (64, 256, tokens), (2 * 64, tokens, tokens)],
    ):
        by_hand += out * depth * pixels * 4
    assert program.total_ops == by_hand
    assert program.share == by_hand / (program.cycles * 4 * 16 * 32)


def test_published_cifar_network_with_memories_as_deep_as_it_needs():
    net = cifar()
    program = compile_network(net, fit_config(net, Config(rows=8)))
    assert program.cycles <= 1_150_000
    images = random_images(net, 1)
    run = next(interpret(program, images, events=False))
    assert run.cycles == program.cycles
    assert (run.logits == net.run(images).logits[0]).all()


def test_forecast_is_the_sum_of_timing(small):
    net = random_network(1, **small)
    program = compile_network(net)
    cycles = timing.program_cycles(program.config, program.instructions())
    assert [f.cycles for f in program.forecast] == cycles
    assert program.cycles == sum(cycles)
    assert [f.layer for f in program.forecast] == [label.layer for label in program.labels]


def test_all_misfits_are_told_at_once(small):
    net = random_network(1, **small | {"height": 24, "width": 24, "dim": 48})
    few = Config(row_depth=64, col_depth=64, res_depth=64, pix_depth=64, prog_depth=64, acc_bits=8)
    with pytest.raises(SpikeloomError) as e:
        compile_network(net, few)
    needs = required(net, few)
    assert (needs.pop("state_bits"), needs.pop("res_bits")) == (0, 18)
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


def test_a_field_that_is_too_narrow_is_named(small, monkeypatch):
    net = random_network(1, **small | {"classes": 300})
    narrow = dataclasses.replace(isa.BY_NAME["n_j"], bits=4)
    monkeypatch.setitem(isa.BY_NAME, "n_j", narrow)
    with pytest.raises(
        SpikeloomError,
        match=r"column tiles j is 19, but instruction field n_j "
        "holds 0 to 15",
    ):
        compile_network(net, Config(col_depth=1 << 14))


def test_images_wider_than_an_instruction_says_are_refused(small):
    with pytest.raises(SpikeloomError, match="width is 8192 to 8192, wanted 1 to 4095"):
        random_network(1, **small | {"height": 4, "width": 8192, "variant": "imagenet", "steps": 1})


def test_more_than_any_core_holds(small):
    net = random_network(
        1, **small | {"height": 150, "width": 150, "channels": 3, "variant": "imagenet", "steps": 1}
    )
    with pytest.raises(SpikeloomError, match=r"no pix_depth is large enough \(at most 65536\)"):
        compile_network(net)


@pytest.mark.parametrize("config", [Config(), Config(rows=8), Config(rows=8, cols=8, width=64)])
def test_regions_that_live_at_once_do_not_overlap(config, small):
    net = random_network(1, **small | {"depth": 3, "dim": 32, "height": 16})
    program = compile_network(net, fit_config(net, config))
    made, last = {}, {}
    for n, layer in enumerate(net.layers):
        for name in (getattr(getattr(layer, "neuron", None), "name", None), layer.name):
            made.setdefault(name, n)
        for field in ("source", "left", "right", "map"):
            last[getattr(layer, field, None)] = n
    for memory in ("row", "col"):
        regions = [r for r in program.regions if r.memory == memory]
        for a, b in itertools.combinations(regions, 2):
            apart = a.base + a.size <= b.base or b.base + b.size <= a.base
            if "constants" in (a.name, b.name):
                assert apart
            elif made[a.name] <= last[b.name] and made[b.name] <= last[a.name]:
                assert apart, (a, b)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_allocator(requests):
    place, taken = Allocator(), []
    for size, a, b in requests:
        first, last = sorted((a, b))
        base = place.place(size, first, last, floor=3)
        assert base >= 3
        for other, end, f, n in taken:
            assert not (f <= last and first <= n and other < base + size and base < end)
        taken.append((base, base + size, first, last))
    assert place.top == max((t[1] for t in taken), default=0)


stride = st.integers(-40000, 40000)


@given(
    st.fixed_dictionaries(
        {f"n_{level}": st.integers(1, 3) for level in LEVELS}
        | {"n_dx": st.integers(1, 6), "n_dy": st.integers(1, 4)}
    ),
    st.fixed_dictionaries(
        {level: stride for level in LEVELS}
        | {level: st.tuples(stride, stride) for level in ("dx", "dy")}
    ),
    st.integers(-100, 65535),
)
def test_deltas_walk_the_strides(counts, strides, base):
    """A sequencer that adds the delta of the level that advances meets every address."""
    fields = stream("row", counts, strides, base)
    walk = offsets(isa.Instruction(op=isa.Op.GEMM, **counts, **fields), "row")
    assert all(-32768 <= v < 32768 for k, v in fields.items() if k != "row_base")
    index, addr = dict.fromkeys(LEVELS, 0), fields["row_base"]
    while True:
        want = base
        for level in LEVELS:
            steps, each = range(index[level]), strides[level]
            want += sum(each[n % 2] if isinstance(each, tuple) else each for n in steps)
        assert (addr - want) % (1 << 16) == 0
        assert (base + sum(walk[level][index[level]] for level in LEVELS) - addr) % (1 << 16) == 0
        for level in LEVELS:
            index[level] += 1
            if index[level] < counts[f"n_{level}"]:
                break
            index[level] = 0
        else:
            return
        odd = level in ("dx", "dy") and index[level] % 2 == 0
        addr += fields[f"row_{level}2" if odd else f"row_{level}"]


@pytest.mark.parametrize(
    ("config", "channels", "want"),
    [
        (Config(), 8, (Pack.TRIPLE, 1)),
        (Config(), 5, (Pack.TRIPLE, 1)),
        (Config(), 9, (Pack.PAIR, 2)),
        (Config(), 16, (Pack.PAIR, 2)),
        (Config(), 17, (Pack.NONE, 1)),
        (Config(width=64), 16, (Pack.TRIPLE, 2)),
        (Config(rows=8, cols=32, width=32), 20, (Pack.NONE, 1)),
        (Config(rows=8, cols=32, width=64), 20, (Pack.PAIR, 4)),
        (Config(rows=8, cols=64, width=128), 40, (Pack.PAIR, 8)),
        (Config(rows=16, cols=64, width=128), 40, (Pack.PAIR, 8)),
        (Config(rows=16), 8, (Pack.TRIPLE, 1)),
        (Config(rows=8, cols=32, width=128), 30, (Pack.TRIPLE, 4)),
    ],
)
def test_tap_packing(config, channels, want):
    assert choose_pack(config, channels) == want


def test_bias_that_differs_by_step_is_refused(small):
    net = random_network(1, **small)
    n = next(i for i, layer in enumerate(net.layers) if layer.name.endswith("apply"))
    layer = net.layers[n]
    bias = layer.affine.bias + np.arange(net.steps)[:, None]
    layer = dataclasses.replace(layer, affine=dataclasses.replace(layer.affine, bias=bias))
    net = net.replace(layers=(*net.layers[:n], layer, *net.layers[n + 1 :]))
    with pytest.raises(SpikeloomError, match="bias must be the same at every step"):
        compile_network(net)


def test_third_residual_is_refused(small):
    """The first residual is read by a mean at the end: three would have to live at once."""
    net = random_network(1, **small | {"depth": 2})
    n = next(i for i, layer in enumerate(net.layers) if layer.name == "head.mean")
    mean = dataclasses.replace(net.layers[n], source="patch_embed.block4_bn")
    net = net.replace(layers=(*net.layers[:n], mean, *net.layers[n + 1 :]))
    with pytest.raises(SpikeloomError, match="needs a third residual buffer"):
        compile_network(net)


@pytest.mark.parametrize("sources", [("head2.mean",), ("head.mean",), ("head2.mean", "head.mean")])
def test_heads_may_read_the_means_in_any_order(sources, small, check):
    net = random_network(1, **small)
    *layers, first, second, head = net.layers
    means = [m for m in (second, first) if m.name in sources]
    size = small["dim"] * len(sources)
    head = dataclasses.replace(head, sources=sources, weight=head.weight[:, :size])
    check(net.replace(layers=(*layers, *means, head)), Config(), random_images(net, 1))


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
    assert "FITS: 28 of 30 SB_RAM40_4K, 2 of 4 SB_SPRAM256KA" in out
    assert "on 4 rows x 8 columns x 32 bits" in out
    assert main([str(tmp_path / "net.npz"), "--part", "ice40up5k", "--board", "arty_a7"]) == 1
    captured = capsys.readouterr()
    assert "DOES NOT FIT" in captured.out
    assert re.search(
        r"has 30 SB_RAM40_4K, these memories take \d+; choose a smaller core", captured.err
    )
    assert main([str(tmp_path / "net.npz"), "--part", "ice40"]) == 1
    assert "unknown part 'ice40'; known parts: ice40up5k" in capsys.readouterr().err


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
