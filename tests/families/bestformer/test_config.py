"""Sizes and modes of a BESTformer: what is refused, what follows, and the JSON form."""

import dataclasses

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
