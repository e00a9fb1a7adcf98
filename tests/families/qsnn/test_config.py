"""Sizes and modes of a Q-SNN: what is refused, what follows, and the JSON form."""

import pytest

from hw.common.errors import SpikeloomError
from sw.families.qsnn.config import QsnnConfig


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"net": "mlp"}, "net is 'mlp', wanted one of resnet, vgg"),
        ({"stem": 5}, "stem is 5"),
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
