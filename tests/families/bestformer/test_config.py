"""Sizes and modes of a BESTformer: what is refused, what follows, and the JSON form."""

import dataclasses
import json

import pytest

from hw.common.errors import SpikeloomError
from sw.families.bestformer.config import BestformerConfig

TINY = BestformerConfig(
    height=8, width=8, embed_dim=16, depth=1, heads=2, mlp_ratio=2, steps=2, classes=3
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 18}, "height is 18, wanted a multiple of 4 .cifar.*; pad the image to 20"),
        ({"variant": "imagenet"}, "height is 8, wanted a multiple of 16 .*; pad the image to 16"),
        ({"embed_dim": 20}, "embed_dim is 20, wanted a multiple of 8 and of heads = 2; use 24"),
        ({"heads": 3}, "embed_dim is 16, wanted a multiple of 8 and of heads = 3; use 24"),
        ({"steps": 0}, "steps is 0, wanted a whole number, 1 or more"),
        ({"depth": 1.5}, "depth is 1.5, wanted a whole number"),
        ({"classes": 1}, "classes is 1, wanted a whole number, 2 or more"),
        ({"attention": "vk"}, "attention is 'vk', wanted one of qk, kv"),
        ({"variant": "big"}, "variant is 'big', wanted one of cifar, imagenet"),
        ({"similarity": "or"}, "similarity is 'or', wanted one of and, xnor"),
        ({"theta": 3.0}, "theta is 3.0, wanted none where similarity is 'and'"),
        ({"similarity": "xnor", "theta": -1.0}, "theta is -1.0, wanted a finite number above 0"),
        ({"mean": (0.0, 1.0)}, r"mean is \(0.0, 1.0\), wanted 1 numbers, one per channel"),
        ({"std": (0.0,)}, "std is .*, wanted numbers above 0"),
    ],
)
def test_configuration_mistakes_say_what_and_how(change, message):
    with pytest.raises(SpikeloomError, match=message):
        dataclasses.replace(TINY, **change)


@pytest.mark.parametrize(
    ("variant", "height", "width", "grid"),
    [("cifar", 12, 20, (3, 5)), ("imagenet", 48, 32, (3, 2))],
)
def test_tokens_are_squares_of_pixels(variant, height, width, grid):
    config = dataclasses.replace(TINY, variant=variant, height=height, width=width)
    assert config.grid == grid
    assert config.tokens == grid[0] * grid[1]
    assert config.downscale == height // grid[0] == width // grid[1]


def test_threshold_of_the_map():
    assert (TINY.theta, TINY.map_theta) == (None, 1.0)
    xnor = dataclasses.replace(TINY, similarity="xnor", embed_dim=48, heads=2)
    assert (xnor.head_dim, xnor.theta, xnor.map_theta) == (24, 13.0, 13.0)
    told = dataclasses.replace(TINY, similarity="xnor", theta=3)
    assert (told.theta, type(told.theta), told.map_theta) == (3.0, float, 3.0)


@pytest.mark.parametrize(
    ("change", "hardware"),
    [({}, True), ({"binary": False}, False), ({"reversible": False}, False)],
)
def test_hardware_is_made_of_reversible_binary_networks(change, hardware):
    told = dataclasses.replace(TINY, **change).no_hardware
    assert (told is None) == hardware
    if told is not None:
        assert "--no-binary and --no-reversible, or give --rounded 0" in told


def test_json_there_and_back():
    config = dataclasses.replace(
        TINY, similarity="xnor", channels=2, mean=(0.25, 0.5), std=0.125, binary=False
    )
    fields = json.loads(json.dumps(config.to_json()))
    assert (fields["model"], fields["mean"], fields["std"]) == (
        "bestformer",
        [0.25, 0.5],
        [0.125, 0.125],
    )
    assert fields["theta"] == 5.0
    assert fields.keys() == {"model", *(f.name for f in dataclasses.fields(config))}
    assert BestformerConfig.from_json({**fields, "seconds": 3}) == config


def test_older_json_says_nothing_of_newer_fields():
    fields = TINY.to_json()
    for name in ("theta", "reversible", "binary"):
        del fields[name]
    assert BestformerConfig.from_json(fields) == TINY
    del fields["depth"]
    with pytest.raises(SpikeloomError, match=r"^a\.json: lacks depth; add"):
        BestformerConfig.from_json(fields, "a.json")
    with pytest.raises(SpikeloomError, match="model is 'qsnn', wanted 'bestformer'"):
        BestformerConfig.from_json({"model": "qsnn"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": True}, "heads is True, wanted a whole number, 1 or more"),
        ({"classes": True}, "classes is True, wanted a whole number, 2 or more"),
        ({"width": 10}, "width is 10, wanted a multiple of 4 .cifar.*; pad the image to 12"),
        ({"binary": 1}, "binary is 1, wanted True or False"),
        ({"reversible": None}, "reversible is None, wanted True or False"),
        ({"similarity": "xnor", "theta": True}, "theta is True, wanted a finite number above 0"),
        ({"similarity": "xnor", "attention": "kv"}, "similarity is 'xnor', wanted 'and' where"),
    ],
)
def test_more_mistakes(change, message):
    with pytest.raises(SpikeloomError, match=message):
        dataclasses.replace(TINY, **change)
