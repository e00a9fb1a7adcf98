"""What it costs to freeze the scale of stored membranes: how it is measured, told and judged."""

from types import SimpleNamespace

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.agree.alpha import AlphaRow, AlphaTable, alpha_table
from sw.graph import LIF

LABELS = np.array([0, 1, 2, 3, 4])
IMAGES = np.zeros((5, 1, 8, 12), np.uint8)
CALIBRATION = np.ones((3, 1, 8, 12), np.uint8)


class Net:
    """Stands in for a float network: right on as many images as ``right`` tells of each alpha."""

    name = "net"
    nodes = (LIF(name="lif", source="x", state_bits=4),)

    def __init__(self, right, alpha=None, said=None):
        self.right, self.alpha, self.said = right, alpha, [] if said is None else said

    def with_alpha(self, alpha):
        return Net(self.right, alpha, self.said)

    def measure_alpha(self, images):
        assert images is CALIBRATION
        return {"lif": 0.75}

    def _answer(self, count):
        got = np.where(np.arange(5) < count, LABELS, LABELS + 1)
        return SimpleNamespace(predictions=got)

    def run(self, images, **options):
        self.said.append((self.alpha, options))
        key = self.alpha if self.alpha != "batch" else f"batch {options['batch']}"
        return self._answer(self.right[str(key)])

    def lower(self, **options):
        self.said.append((self.alpha, options))
        return SimpleNamespace(
            run=lambda images: self._answer(self.right[f"integer {self.alpha}"]),
        )


RIGHT = {
    "batch 64": 5,
    "batch 1": 4,
    "1.0": 3,
    "integer 1.0": 2,
    "{'lif': 0.75}": 1,
    "integer {'lif': 0.75}": 0,
}


def test_each_row_is_measured_with_its_own_alpha():
    net = Net(RIGHT)
    table = alpha_table(net, IMAGES, LABELS, CALIBRATION, frac_bits=7)
    assert table == AlphaTable(
        name="net",
        images=5,
        measured={"lif": 0.75},
        rows=(
            AlphaRow(what="of each batch of 64", float_accuracy=1.0),
            AlphaRow(what="of each image", float_accuracy=0.8),
            AlphaRow(what="1", float_accuracy=0.6, integer_accuracy=0.4),
            AlphaRow(what="measured", float_accuracy=0.2, integer_accuracy=0.0),
        ),
    )
    lowered = {"size": (8, 12), "per_step": False, "frac_bits": 7}
    assert net.said == [
        ("batch", {"batch": 64}),
        ("batch", {"batch": 1}),
        (1.0, {}),
        (1.0, lowered),
        ({"lif": 0.75}, {}),
        ({"lif": 0.75}, lowered),
    ]


def test_images_of_steps_are_lowered_so():
    net = Net(RIGHT)
    alpha_table(net, IMAGES[:, None], LABELS, CALIBRATION)
    assert net.said[3] == (1.0, {"size": (8, 12), "per_step": True})


@pytest.mark.parametrize("nodes", [(), (LIF(name="lif", source="x"),)], ids=["none", "float"])
def test_nothing_is_stored(nodes):
    net = Net(RIGHT)
    net.nodes = nodes
    with pytest.raises(SpikeloomError) as e:
        alpha_table(net, IMAGES, LABELS, CALIBRATION)
    assert str(e.value) == "net: no neuron stores a quantised state; leave --alpha out"


def table(images, first, *rows):
    made = [AlphaRow(what=f"row {n}", float_accuracy=a, integer_accuracy=b) for n, a, b in rows]
    return AlphaTable(
        name="net",
        images=images,
        measured={"lif1": 0.9375, "lif2": 1.0},
        rows=(AlphaRow(what="batch", float_accuracy=first), *made),
    )


@pytest.mark.parametrize(
    ("images", "accuracy", "points"),
    [
        (10_000, 0.898, None),  # 0.2 points of many images
        (10_000, 0.8979, "0.20"),
        (100, 0.89, None),  # one image, where that is more
        (100, 0.8899, "1.00"),
        (500, 0.898, None),
        (499, 0.8978, "0.20"),
        (10_000, 0.95, None),  # better is no fault
    ],
)
def test_fault(images, accuracy, points):
    for row in ((1, accuracy, None), (1, 0.9, accuracy)):
        faults = table(images, 0.9, row).faults
        assert faults == ([f"row 1 costs more than {points} points"] if points else [])


def test_each_accuracy_of_each_row_is_judged():
    faults = table(10_000, 0.9, (1, 0.5, 0.5), (2, 0.9, 0.9), (3, 0.9, 0.1)).faults
    assert [f.split(" costs")[0] for f in faults] == ["row 1", "row 1", "row 3"]


def test_text():
    assert table(100, 0.975, (1, 0.97, None), (2, 0.9, 0.8625)).text() == "\n".join(
        [
            "net: scale of stored membranes, 100 images",
            "  alpha                           float  integer",
            "  batch                          97.50%        -",
            "  row 1                          97.00%        -",
            "  row 2                          90.00%   86.25%",
            "  measured for lif1: 0.937500",
            "  measured for lif2: 1.000000",
            "  NOT MET: row 2 costs more than 1.00 points",
            "  NOT MET: row 2 costs more than 1.00 points",
        ]
    )
