"""Buffers of residual memory, membranes in it, and means."""

import dataclasses

import numpy as np
import pytest

from hw.arch import SpikeloomError
from hw.arch.config import Config
from hw.arch.isa import Keep, Res
from sw.compiler import compile_network, fit_config
from sw.compiler.emit import emissions
from sw.compiler.plan.numbering import Numbering
from sw.compiler.plan.numberings import Numberings
from sw.compiler.plan.residuals import Access, Residuals
from sw.compiler.plan.tensors import Uses
from sw.network import Residual, Shortcut
from sw.testing import random_network, random_residual_network
from tests.compiler.nets import STATE, conv, mean, network, pixel, projected, refused


def test_third_residual_is_refused(small):
    """The first residual is read by a mean at the end: three would have to live at once."""
    net = random_network(1, **small | {"depth": 2})
    n = next(i for i, layer in enumerate(net.layers) if layer.name == "head.mean")
    mean = dataclasses.replace(net.layers[n], source="patch_embed.block4_bn")
    net = net.replace(layers=(*net.layers[:n], mean, *net.layers[n + 1 :]))
    with pytest.raises(SpikeloomError, match="needs a third residual buffer"):
        compile_network(net)


def test_residual_and_spikes_of_one_layer():
    net = network(
        pixel(),
        conv("a", "p", residual=Residual(output="r")),
        mean("a.s"),
        mean("r", name="other"),
        sources=("mean", "other"),
        inputs=16,
    )
    refused(net, "residual 'r' and spikes 'a.s' would both have to be kept")


def test_mean_over_gaps():
    layers = [pixel(), conv("a", "p"), conv("b", "a.s"), mean("a.s"), mean("b.s", name="other")]
    net = network(*layers, sources=("mean", "other"), inputs=16, side=(6, 6))
    refused(net, r"layer 'a' leaves 2 of 8 places free after each image row", Config(means=0))
    compile_network(net)  # the lanes sum rows, wherever they would lie
    compile_network(network(*layers, sources=("mean", "other"), inputs=16, side=(6, 8)))


def test_buffer_b_only():
    add = {"residual": Residual(output="s", inputs=("r",))}
    again = {"residual": Residual(output="t", inputs=("s",))}
    sums = conv("b", "p", size=1, **add), conv("c", "b.s", size=1, **again), mean("t")
    compile_network(projected(sums))  # r, s and t one after the other in buffer B
    late = *sums[:2], mean("t"), mean("r", name="other")
    net = projected(late)
    head = dataclasses.replace(
        net.head, sources=("mean", "other"), weight=np.ones((2, 16), np.int64)
    )
    net = net.replace(layers=(*net.layers[:-1], head))
    refused(
        net,
        "'s' must lie in residual buffer B, as a single residual can be added from there",
        Config(means=0),
    )


def test_single_residual_in_buffer_a():
    """The first of two that are averaged lies in A; adding it alone is not possible."""
    layers = [
        pixel(),
        conv("a", "p", size=1, residual=Residual(output="r")),
        conv("b", "a.s", size=1, residual=Residual(output="s")),
        conv("c", "b.s", size=1, residual=Residual(output="t", inputs=("r", "s"))),
        conv("d", "c.s", size=1, residual=Residual(output="u", inputs=("s",))),
        mean("u"),
    ]
    refused(network(*layers), "single residual can be added from")


def test_stream_with_two_residuals():
    layers = [
        pixel(state=STATE),
        conv("a", "p", size=1, state=STATE, residual=Residual(output="r")),
        conv("b", "a.s", size=1, state=STATE, residual=Residual(output="s")),
        conv("c", "b.s", size=1, state=STATE, residual=Residual(output="t", inputs=("r", "s"))),
        mean("c.s"),
    ]
    net = network(*layers, steps=1, stream=True)
    refused(net, "'s' must lie in residual buffer B, as buffer A holds membranes")


def test_overwritten_residual():
    layers = [
        pixel(),
        conv("a", "p", size=1, residual=Residual(output="r")),
        conv("b", "a.s", size=1, residual=Residual(output="s", inputs=("r", "r"))),
        mean("s"),
    ]
    refused(network(*layers), "averages a residual with itself")


def test_membranes_past_what_a_lane_counts():
    net = random_residual_network(
        0,
        height=64,
        width=64,
        channels=1,
        widths=(40, 40, 40),
        bits=2,
        steps=1,
        stream=True,
        classes=2,
        halve=(2,),
        flatten=False,
    )
    config = Config(
        rows=8, cols=8, width=64, row_depth=1 << 16, res_depth=1 << 16, pix_depth=1 << 16
    )
    compile_network(net, fit_config(net, config))
    many = random_residual_network(
        0,
        height=64,
        width=64,
        channels=1,
        widths=(40, 40, 40, 40),
        bits=2,
        steps=1,
        stream=True,
        classes=2,
        halve=(3,),
        flatten=False,
    )
    with pytest.raises(
        SpikeloomError,
        match=r"its membranes end 66560 codes of 2 bits into a "
        r"lane's memory, which counts 65536",
    ):
        compile_network(many, fit_config(many, config))


def planned(*layers, config=None, **options):
    net, config = network(*layers, **options), config or Config()
    uses = Uses(net, emissions())
    return Residuals(net, config, uses, Numberings(uses, config))


def test_buffers_by_turns():
    """r goes to B, where a single residual is added from; the sum to A; spikes of c to B."""
    plan = planned(
        pixel(),
        conv("a", "p", size=1, residual=Residual(output="r")),
        conv("b", "a.s", size=1, residual=Residual(output="s", inputs=("r",))),
        conv("c", "b.s", size=1),
        mean("c.s"),
        mean("s", name="other"),
        sources=("mean", "other"),
        inputs=16,
    )
    assert plan.access == {
        "pixel": Access(),
        "a": Access(Res.NONE, Keep.Y, 1),
        "b": Access(Res.ADD, Keep.Y, 0),
        "c": Access(Res.NONE, Keep.SPIKE, 1),
        "mean": Access(),
        "other": Access(),
        "logits": Access(),
    }
    # 64 tokens x 2 steps
    assert [(r.name, r.base, r.size) for r in plan.regions] == [
        ("r (B)", 0, 128),
        ("s (A)", 0, 128),
        ("c.s (B)", 0, 128),
    ]
    assert plan.depth == plan.words("s") == 128


def test_average_goes_where_its_older_input_was():
    plan = planned(
        pixel(),
        conv("a", "p", size=1, residual=Residual(output="r")),
        conv("b", "a.s", size=1, residual=Residual(output="s")),
        conv("c", "b.s", size=1, residual=Residual(output="t", inputs=("r", "s"))),
        mean("t"),
    )
    first, second, third = (plan.access[name] for name in "abc")
    assert (first.dest, second.dest) == (1, 0)
    assert third == Access(Res.AVERAGE, Keep.Y, first.dest)


def test_shortcuts_need_no_residual_memory():
    plan = planned(
        pixel(),
        conv("a", "p"),
        conv("b", "a.s", shortcut=Shortcut(source="p", value=3)),
        conv("c", "b.s"),
        mean("c.s"),
    )
    assert plan.access["b"] == Access(Res.SPIKE, Keep.NONE, 0)


def test_membranes_lie_one_after_the_other():
    """Codes of 2 bits: 4 x 16 bits, so 8 codes of a lane in a word; from buffer A's start."""
    plan = planned(
        pixel(state=STATE),
        conv("a", "p", out=24, size=1, state=STATE),
        conv("b", "a.s", 24, size=1, state=STATE),
        mean("b.s"),
        steps=1,
        stream=True,
        side=(5, 7),
    )
    # 35 tokens in 9 groups of 4 codes, 8 bits a group; a has two column tiles
    assert plan.codes == {"pixel": 0, "a": 10, "b": 28}
    assert [(r.name, r.base, r.size) for r in plan.regions] == [
        ("b.s (B)", 0, 36),
        ("membranes of p (A)", 0, 5),
        ("membranes of a.s (A)", 5, 9),
        ("membranes of b.s (A)", 14, 5),
    ]
    assert plan.depth == 36
    assert plan.problems == []


def test_means_that_share_an_instruction():
    """The sums of A and B; features of A first, each rounded up to column tiles."""
    layers = [
        pixel(),
        conv("a", "p", out=20, size=1, residual=Residual(output="r")),
        conv("b", "a.s", 20, 20, size=1, residual=Residual(output="s")),
        conv("c", "b.s", 20, size=1),
    ]
    first, second = mean("s", name="first"), mean("r", name="second")
    plan = planned(*layers, first, second, sources=("first", "second"), inputs=40)
    assert plan.mean_runs == [{0: first, 1: second}]
    assert plan.features == {"first": (0, 20), "second": (32, 20)}
    assert (plan.feature_gap, plan.feature_count) == (0, 64)
    other = dataclasses.replace(second, shift=7)
    plan = planned(*layers, first, other, sources=("first", "second"), inputs=40)
    assert plan.mean_runs == [{0: first}, {1: other}]
    assert plan.features == {"first": (0, 20), "second": (64, 20)}
    assert (plan.feature_gap, plan.feature_count) == (0, 96)


def test_mean_of_buffer_b_alone_leaves_a_gap():
    """Its instruction writes what A would give too, before the features."""
    layers = pixel(), conv("a", "p", size=1, residual=Residual(output="r")), mean("r")
    plan = planned(*layers)
    assert plan.mean_runs == [{1: layers[-1]}]
    assert plan.features == {"mean": (0, 8)}
    assert (plan.feature_gap, plan.feature_count) == (16, 16)


def test_features_of_single_tokens():
    """12 groups of 4 places, of which 6 x 7 are tokens: rows of 8 places."""
    layers = [
        pixel(),
        conv("a", "p", residual=Residual(output="r")),
        conv("b", "a.s"),
        mean("r", name="m", over_tokens=False),
        mean("b.s"),
    ]
    plan = planned(*layers, sources=("m", "mean"), inputs=8 * 42 + 8, side=(6, 7))
    assert plan.numbering("r") == Numbering.GRID
    assert [plan.token_index("r", token) for token in (0, 6, 7, 41)] == [0, 6, 8, 46]
    tokens = 6 * 2 * 4
    assert plan.feature_gap == 16  # r lies in B
    assert plan.features["m"] == (0, 8)
    assert plan.features["mean"] == ((1 + tokens) * 16 - 16, 8)
    assert plan.mean("m") is layers[3]


def test_nothing_is_kept_that_nobody_needs():
    plan = planned(
        pixel(),
        conv("a", "p", residual=Residual(output="r")),
        conv("b", "a.s"),
        mean("b.s"),
    )
    assert plan.access["a"] == Access()
    assert plan.access["b"] == Access(Res.NONE, Keep.SPIKE, 0)


def test_last_use_is_the_end_of_the_pieces():
    layers = pixel(), conv("a", "p", out=48), mean("a.s")
    whole = planned(*layers, inputs=48, side=(3, 6))
    pieces = planned(*layers, inputs=48, side=(3, 6), config=Config(res_depth=64))
    assert (whole.last_use("p"), pieces.last_use("p")) == (1, 2)
    assert (whole.words("a.s"), pieces.words("a.s")) == (3 * 40, 2 * 40)
    assert pieces.depth == 80
