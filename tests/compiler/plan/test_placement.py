"""Layouts and addresses of tensors."""

import dataclasses
import itertools

import pytest

from hw.arch.config import Config
from hw.arch.isa import Dest, Pack
from sw.compiler import compile_network, fit_config
from sw.compiler.emit import emissions
from sw.compiler.plan.placement import Placement
from sw.network import Residual
from sw.testing import random_network
from tests.compiler.nets import attention, conv, mean, network, pixel, refused


@pytest.mark.parametrize("config", [Config(), Config(rows=8), Config(rows=8, cols=8, width=64)])
def test_regions_that_live_at_once_do_not_overlap(config, small):
    net = random_network(1, **small | {"depth": 3, "dim": 32, "height": 16})
    program = compile_network(net, fit_config(net, config))
    made, last = {"image": 0}, {"image": 0}
    for n, layer in enumerate(net.layers):
        for name in (getattr(getattr(layer, "neuron", None), "name", None), layer.name):
            made.setdefault(name, n)
        for field in ("source", "left", "right", "map"):
            last[getattr(layer, field, None)] = n
    pooled = {label.pooled: label.tensor for label in program.labels if label.pooled}
    made |= {pool: made[spikes] for pool, spikes in pooled.items()}
    for memory in ("row", "col"):
        regions = [r for r in program.regions if r.memory == memory]
        for a, b in itertools.combinations(regions, 2):
            apart = a.base + a.size <= b.base or b.base + b.size <= a.base
            if "constants" in (a.name, b.name):
                assert apart
            elif made[a.name] <= last[b.name] and made[b.name] <= last[a.name]:
                assert apart, (a, b)


def placed(*layers, config=None, constants=100, **options):
    place = Placement(network(*layers, **options), config or Config(), emissions())
    place.place_tensors(constants)
    return place


def test_layouts_follow_from_readers():
    """40 channels for 3x3 layers, 8 packed by taps, 8 for a 1x1 layer, planes for stride 2."""
    place = placed(
        pixel(),
        conv("a", "p", out=40),
        conv("b", "a.s", 40),
        conv("c", "b.s", stride=2),
        conv("d", "c.s", size=1),
        mean("d.s"),
        side=(6, 9),
    )
    layouts = place.layouts
    assert set(layouts) == {"p", "a.s", "b.s", "c.s"}  # d.s lies in residual memory alone
    assert (layouts["p"].dest, layouts["p"].pack) == (Dest.ROW_TAPS, Pack.TRIPLE)
    assert (layouts["a.s"].dest, layouts["a.s"].words, layouts["a.s"].line) == (Dest.ROW, 2, 12)
    assert layouts["b.s"].half == layouts["b.s"].size // 2 == 6 * 2 * 2
    assert layouts["c.s"].flat
    assert place.depth["row"] >= max(layout.size for layout in layouts.values())


def test_addresses_of_regions():
    """The image and p die before b is written, so b.s lies where they were."""
    place = placed(
        pixel(),
        conv("a", "p", size=1),
        conv("b", "a.s", size=1),
        conv("c", "b.s", size=1),
        mean("c.s"),
        side=(4, 4),
        steps=3,
        config=Config(means=0),
    )
    each = 4 * 3  # groups of 4 tokens, a word a step
    p, a = 4, 4 + each  # after the image, four addresses of four pixels
    assert place.base == {"p": p, "a.s": a, "b.s": 0}
    assert place.depth == {"row": a + each, "col": 100, "res": each * 4, "pix": 16 + 16}
    regions = [(r.name, r.memory, r.base, r.size) for r in place.regions]
    assert regions == [
        ("c.s (A)", "res", 0, 48),
        ("features", "pix", 0, 16),
        ("logits", "pix", 16, 16),
        ("image", "row", 0, 4),
        ("constants", "col", 0, 100),
        ("p", "row", p, each),
        ("a.s", "row", a, each),
        ("b.s", "row", 0, each),
    ]


def test_frames_of_each_step_have_pixels_of_their_own():
    for config, size in ((Config(), 4 * 2), (Config(pixels=1), 4 * 5)):
        for frames in (1, 3):
            place = placed(
                pixel(),
                mean("p"),
                side=(4, 5),
                steps=3,
                per_step_input=frames > 1,
                config=config,
            )
            assert place.input_shape == (*((3,) if frames > 1 else ()), 1, 4, 5)
            image = next(r for r in place.regions if r.name == "image")
            assert image.size == frames * size
            assert image.memory == place.image_memory == ("pix" if config.pixels else "row")
            features = image.size if config.pixels else 0
            assert (place.feature_base, place.logits_base) == (features, features + 16)


def test_operands_of_attention():
    place = placed(*attention(), side=(4, 5))
    assert place.heads == {"q.s": 2, "k.s": 2, "v.s": 2}
    dests = {name: place.layouts[name].dest for name in ("q.s", "k.s", "v.s", "m", "o")}
    assert dests == {
        "q.s": Dest.ROW,
        "k.s": Dest.COL_TOKEN,
        "v.s": Dest.COL_CHANNEL,
        "m": Dest.ROW,
        "o": Dest.ROW,
    }
    column = [r for r in place.regions if r.memory == "col"]
    assert [r.name for r in column] == ["constants", "k.s", "v.s"]
    assert column[1].base == 100  # above the constants
    assert place.layouts["o"].position.tolist() == [0, 1, 2, 3, 16, 17, 18, 19]
    place = placed(*attention(order="kv"), side=(4, 5))
    dests = {name: place.layouts[name].dest for name in ("q.s", "k.s", "v.s", "m")}
    assert dests == {
        "q.s": Dest.ROW,
        "k.s": Dest.COL_CHANNEL,
        "v.s": Dest.ROW_CHANNEL,
        "m": Dest.COL_TOKEN,
    }


def test_what_attention_cannot_read():
    summed = conv("k", "p", size=1, residual=Residual(output="r"))
    layers = attention(k=summed)
    net = network(*layers, mean("r", name="other"), sources=("mean", "other"), inputs=16)
    refused(net, "layer 'k': attention can read a binary layer without residual only")
    layers = attention()
    layers[5] = dataclasses.replace(layers[5], source="k.s")
    refused(network(*layers), "layer 'k.s': is read in several ways that need different memory")
