"""Sizes and modes of a Q-SNN: what is refused, what follows, and the JSON form."""

import json

import pytest

from hw.common.errors import SpikeloomError
from sw.families.qsnn.config import QsnnConfig

VGG = {"net": "vgg", "height": 9, "width": 7}


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"net": "mlp"}, "net is 'mlp', wanted one of resnet, vgg"),
        ({"stem": 5}, "stem is 5"),
        ({"kernel": 5}, "kernel is 5, wanted one of 1, 3"),
        ({"stream": 1}, "stream is 1, wanted True or False"),
        ({"membrane_bits": 3}, "membrane_bits is 3, wanted one of 2, 4, 8"),
        ({"steps": 0}, "steps is 0"),
        ({"classes": 1}, "classes is 1"),
        ({"widths": ()}, "widths is"),
        ({"widths": (4, 0)}, "widths is"),
        ({"blocks": (1, 1)}, "wanted 3 numbers"),
        ({"net": "vgg", "halve": (3,)}, "halve is"),
        ({"alpha": 0}, "alpha is 0"),
        ({"mean": (0.1, 0.2)}, "mean is"),
        ({"std": 0.0}, "std is"),
        ({"net": "vgg", "halve": (1, 2), "height": 3}, "images that leave a pixel"),
    ],
)
def test_wrong_configurations(fields, match):
    with pytest.raises(SpikeloomError, match=match):
        QsnnConfig(**fields)


def test_wrong_json():
    with pytest.raises(SpikeloomError, match="wanted 'qsnn'"):
        QsnnConfig.from_json({"model": "bestformer"})
    with pytest.raises(SpikeloomError, match="lacks net, widths"):
        QsnnConfig.from_json({"model": "qsnn"})


@pytest.mark.parametrize(
    ("fields", "grid"),
    [
        ({"height": 9, "width": 7}, (3, 2)),  # two halvings, rounded up
        ({"height": 9, "width": 7, "stem": 7}, (1, 1)),  # four
        ({"height": 33, "width": 40, "stem": 7}, (3, 3)),
        ({"net": "vgg", "halve": (1, 2), "height": 9, "width": 7}, (2, 1)),  # rounded down
        (
            {"net": "vgg", "halve": (1, 2), "height": 9, "width": 7, "downsampling": "stride"},
            (3, 2),
        ),
        ({"net": "vgg", "height": 9, "width": 7}, (9, 7)),
    ],
)
def test_grid_is_what_halving_leaves(fields, grid):
    assert QsnnConfig(**fields).grid == grid


def test_strides_are_of_the_halved_convolutions():
    vgg = {"net": "vgg", "widths": (4, 4, 6, 6), "halve": (1, 3)}
    assert QsnnConfig(**vgg).strides == (1, 1, 1, 1)
    strided = QsnnConfig(**vgg, downsampling="stride")
    assert strided.strides == (1, 2, 1, 2)
    assert strided.to_json()["strides"] == [1, 2, 1, 2]
    assert strided.blocks == ()
    assert "strides" not in QsnnConfig().to_json()


@pytest.mark.parametrize(
    ("fields", "words"),
    [({}, None), ({"regulated": False}, "--no-regulated"), ({"alpha": None}, "--alpha 1")],
)
def test_hardware_is_made_of_regulated_networks_of_a_fixed_scale(fields, words):
    told = QsnnConfig(**fields).no_hardware
    assert told is None if words is None else words in told


@pytest.mark.parametrize(
    "config",
    [
        QsnnConfig(widths=(4, 6), blocks=(2, 1), stem=7, mean=0.5, std=0.25, channels=2),
        QsnnConfig(alpha=None, membrane_bits=2, regulated=False),
        QsnnConfig(net="vgg", widths=(4, 6), halve=(1,), downsampling="stride", steps=5),
    ],
    ids=["residual", "batch alpha", "vgg"],
)
def test_json_there_and_back(config):
    fields = json.loads(json.dumps(config.to_json()))
    assert fields["model"] == "qsnn"
    assert fields["membrane_alpha"] == ("batch" if config.alpha is None else 1.0)
    assert QsnnConfig.from_json({**fields, "seconds": 3}) == config
    if config.regulated:
        del fields["regulated"]  # which older files lack
        assert QsnnConfig.from_json(fields) == config


def test_published_nets_take_changes():
    config = QsnnConfig.resnet19(classes=100, steps=4)
    assert (config.classes, config.steps, config.widths) == (100, 4, (128, 256, 512))
    assert (config.blocks, config.stem, config.channels) == ((3, 3, 2), 3, 3)
    config = QsnnConfig.resnet18(height=64)
    assert (config.height, config.width, config.stem) == (64, 224, 7)
    assert (config.widths, config.blocks) == ((64, 128, 256, 512), (2, 2, 2, 2))
