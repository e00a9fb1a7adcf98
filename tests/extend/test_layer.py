"""A layer kind of one's own, added to the tables in memory, from float graph to instructions."""

import numpy as np
import pytest

import boards
import sim
import sw
from hw.arch import Config
from hw.common.errors import SpikeloomError
from sim.interpreter import interpret, recover
from sw import graph as g
from sw.compiler import compile_network, fit_config
from sw.compiler.emit import kinds as emit_kinds
from sw.lower import patterns
from sw.network.layers import kinds as layer_kinds
from tests.extend import or_pool as toy


@pytest.fixture
def extended(monkeypatch):
    """The three lines that a kind is in the tables, without writing them there."""
    monkeypatch.setattr(layer_kinds, "KINDS", (*layer_kinds.KINDS, toy.OrPool))
    monkeypatch.setattr(patterns, "PATTERNS", (toy.OR_POOL, *patterns.PATTERNS))
    monkeypatch.setattr(emit_kinds, "EMISSIONS", (*emit_kinds.EMISSIONS, toy.OrPoolEmission()))


def net(channels=6, side=10, steps=3, classes=4, seed=0):
    """Convolution, neuron, 2x2 maximum, binary convolution, neuron, mean, linear layer."""
    rng = np.random.default_rng(seed)

    def weight(*shape):
        return rng.normal(size=shape).astype(np.float32)

    def norm(name, source, count, gain):
        return g.BatchNorm(
            name=name,
            source=source,
            weight=np.full(count, gain, np.float32),
            bias=weight(count) * np.float32(0.3),
            mean=np.zeros(count, np.float32),
            var=np.ones(count, np.float32),
        )

    nodes = (
        g.Conv(
            name="c0", source=g.IMAGE, weight=weight(channels, 1, 3, 3), binary=False, padding=1
        ),
        norm("b0", "c0", channels, 1.0),
        g.LIF(name="s0", source="b0"),
        g.MaxPool(name="p0", source="s0", size=2, stride=2, padding=0),
        g.Conv(name="c1", source="p0", weight=weight(8, channels, 3, 3), binary=True, padding=1),
        norm("b1", "c1", 8, 0.4),
        g.LIF(name="s1", source="b1"),
        g.MeanTokens(name="m", source="s1"),
        g.Linear(
            name="fc", source="m", weight=weight(classes, 8), bias=np.zeros(classes, np.float32)
        ),
        g.HeadAverage(name="logits", sources=("fc",)),
    )
    return sw.FloatNetwork(
        name="pooled",
        nodes=nodes,
        steps=steps,
        channels=1,
        classes=classes,
        mean=(0.5,),
        std=(0.25,),
        size=(side, side),
    )


def images(count, side=10, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8)


def test_it_is_refused_without_the_kind():
    with pytest.raises(SpikeloomError, match="p0 cannot be lowered: only 3x3 pools"):
        net().lower()


def test_golden_is_the_maximum_of_the_float_network(extended):
    pytest.importorskip("torch")
    network = net().lower()
    (layer,) = [la for la in network.layers if isinstance(la, toy.OrPool)]
    assert layer.reads() == ("s0",)
    assert layer.writes() == ("p0",)
    trace = network.run(images(4), trace=True).trace
    spikes = trace["s0"]
    windows = spikes.reshape(*spikes.shape[:3], 5, 2, 5, 2).max(axis=(4, 6))
    np.testing.assert_array_equal(trace["p0"], windows)
    assert 0 < windows.mean() < 1
    as_float = net().run(images(4), trace="all").trace
    assert (trace["p0"] == as_float["p0"]).mean() > 0.98


@pytest.mark.parametrize("side", [10, 11, 6])
@pytest.mark.parametrize(
    "config", [Config(), Config(rows=8), Config(rows=8, cols=8, width=64)], ids=["R4", "R8", "W64"]
)
def test_every_bit_on_the_interpreter(extended, config, side):
    network = net(side=side, seed=side).lower()
    program = compile_network(network, fit_config(network, config))
    pixels = images(2, side)
    want = network.run(pixels, trace=True)
    for n, run in enumerate(interpret(program, pixels)):
        assert run.logits.tolist() == want.logits[n].tolist()
        assert run.cycles == program.run_cycles(n)
        assert run.events is not None
        got = recover(program, run.events)
        np.testing.assert_array_equal(got["p0"], want.trace["p0"][:, n])
    assert want.trace["p0"].any()


def test_every_write_on_rtl(extended):
    """On the core of the Arty: spikes, logits and cycles of a kind that it was not built for."""
    network = net(seed=3).lower()
    program = network.compile(boards.get("arty_a7").config)
    got = sim.run(program, images(1), check=True, network=network)
    assert not got.mismatches
    assert got.cycles.tolist() == [program.first_cycles]


def test_files_hold_it(extended, tmp_path):
    network = net().lower()
    network.save(tmp_path / "net.npz")
    back = sw.IntegerNetwork.load(tmp_path / "net.npz")
    assert back.run(images(1)).logits.tolist() == network.run(images(1)).logits.tolist()


def test_shapes_and_bounds_are_refused_by_name(extended):
    network = net().lower()
    (layer,) = [la for la in network.layers if isinstance(la, toy.OrPool)]

    def with_layer(**changes):
        fields = {name: getattr(layer, name) for name in layer.__dataclass_fields__} | changes
        other = toy.OrPool(**fields)
        return network.replace(layers=tuple(other if la is layer else la for la in network.layers))

    with pytest.raises(SpikeloomError, match="layer p0: theta of a pool is 2 to 2, wanted 1 to 1"):
        with_layer(neuron=toy.Neuron(name="p0", theta=2))
    with pytest.raises(SpikeloomError, match="layer p0: reads 'nothing', which no earlier layer"):
        with_layer(source="nothing")


# ---- wrong entries


def test_a_kind_twice(extended, monkeypatch):
    monkeypatch.setattr(layer_kinds, "KINDS", (*layer_kinds.KINDS, toy.OrPool))
    with pytest.raises(SpikeloomError, match="layer kind OrPool: is in the table twice"):
        layer_kinds.layer_kinds()


def test_a_kind_that_is_no_layer(monkeypatch):
    monkeypatch.setattr(layer_kinds, "KINDS", (*layer_kinds.KINDS, dict))
    with pytest.raises(SpikeloomError, match="layer kind dict: is no Layer"):
        layer_kinds.layer_kinds()


@pytest.mark.parametrize("lacks", ["reads", "shapes", "largest_sum"])
def test_a_kind_that_lacks_a_part(monkeypatch, lacks):
    base = toy.LaneLayer
    part = type("Part", (toy.OrPool,), {lacks: getattr(base, lacks), "golden": base.golden})
    part = toy.dataclass(frozen=True, kw_only=True)(part)
    monkeypatch.setattr(layer_kinds, "KINDS", (*layer_kinds.KINDS, part))
    with pytest.raises(SpikeloomError, match=f"layer kind Part: has no {lacks}; state it"):
        layer_kinds.layer_kinds()


def test_a_kind_without_golden_function(monkeypatch):
    part = type("Part", (toy.OrPool,), {"golden": layer_kinds.Layer.golden})
    part = toy.dataclass(frozen=True, kw_only=True)(part)
    monkeypatch.setattr(layer_kinds, "KINDS", (*layer_kinds.KINDS, part))
    with pytest.raises(SpikeloomError, match="layer kind Part: has no golden; state it"):
        layer_kinds.layer_kinds()


def test_a_kind_without_emission(monkeypatch):
    monkeypatch.setattr(layer_kinds, "KINDS", (*layer_kinds.KINDS, toy.OrPool))
    monkeypatch.setattr(patterns, "PATTERNS", (toy.OR_POOL, *patterns.PATTERNS))
    with pytest.raises(SpikeloomError, match="layer kind OrPool: has no emission; add one"):
        net().lower().compile()


def test_an_emission_without_emit(extended, monkeypatch):
    empty = type("Empty", (toy.Emission,), {"layer": toy.OrPool})()
    monkeypatch.setattr(emit_kinds, "EMISSIONS", (*emit_kinds.EMISSIONS[:-1], empty))
    with pytest.raises(SpikeloomError, match="emission Empty: has no emit; state how OrPool runs"):
        emit_kinds.emissions()


def test_two_emissions_of_a_kind(extended, monkeypatch):
    other = type("Other", (toy.OrPoolEmission,), {})()
    monkeypatch.setattr(emit_kinds, "EMISSIONS", (*emit_kinds.EMISSIONS, other))
    with pytest.raises(
        SpikeloomError, match="emission Other: layer kind OrPool has another emission, OrPoolEmis"
    ):
        emit_kinds.emissions()


def test_an_emission_of_no_kind(monkeypatch):
    monkeypatch.setattr(emit_kinds, "EMISSIONS", (*emit_kinds.EMISSIONS, toy.OrPoolEmission()))
    with pytest.raises(SpikeloomError, match=r"emission OrPoolEmission: its layer .* is no layer"):
        emit_kinds.emissions()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (patterns.Pattern("sum", g.Add, print), "pattern 'sum': is in the table twice"),
        (patterns.Pattern("x", int, print), "pattern 'x': <class 'int'> is no kind of node"),
        (patterns.Pattern("x", g.Add, None), "pattern 'x': has no function that lowers a node"),
    ],
    ids=["twice", "node", "function"],
)
def test_a_wrong_pattern(monkeypatch, wrong, told):
    monkeypatch.setattr(patterns, "PATTERNS", (*patterns.PATTERNS, wrong))
    with pytest.raises(SpikeloomError, match=told):
        patterns.patterns()
