"""What is measured, and who is at fault where floors are not met: the network, or its lowering."""

import dataclasses
import json

import pytest

import sw
from sw.agree import Agreement, Reference, data_split, fixture_split, measure
from sw.frontend.loader import SHIPPED
from tests.fixtures import FIXTURES

pytest.importorskip("torch")


def test_images_are_counted_and_batches_change_nothing(monkeypatch):
    """Each image once in the float network and once in the integer one, in parts of any size."""
    pytest.importorskip("sklearn")
    monkeypatch.setattr(measure, "LOCAL_IMAGES", 64)
    net = sw.load("digits-qsnn")
    split = data_split(net, "digits")
    told = []
    reference = Reference(net, split.images, split.labels, tell=told.append)
    assert told == [64, 64, 64, 64, 64, 40]
    got = reference.compare(net.lower())
    assert sum(told) == 2 * 360
    fields = json.loads((SHIPPED / "digits-qsnn.json").read_text(encoding="utf-8"))
    assert got.images == 360
    assert got.integer_accuracy == pytest.approx(fields["integer_test_accuracy"], abs=1e-9)
    assert got.agreement == pytest.approx(fields["equal_predictions"], abs=1.5 / 360)


GOOD = Agreement(
    name="net",
    images=1000,
    float_accuracy=0.95,
    integer_accuracy=0.95,
    agreement=1.0,
    local_error={"a": 0.0001, "b": 0.0},
    rates={"a": 0.1, "b": 0.1},
    head=1.0,
)


def test_all_floors_met():
    assert GOOD.faults == []
    assert GOOD.verdict == "every floor is met; the float network itself is at 95.00%"


@pytest.mark.parametrize(
    "change",
    [{"agreement": 0.9, "head": 0.9889}, {"integer_accuracy": 0.2}, {"stored": 0.5}],
)
def test_the_network_is_at_fault_where_every_layer_agrees(change):
    got = dataclasses.replace(GOOD, float_accuracy=0.25, **change)
    assert got.faults
    assert not got.local_faults
    assert "the float network itself is at 25.00%" in got.verdict
    assert "every layer's integers agree" in got.table().splitlines()[-1]


@pytest.mark.parametrize("change", [{"local_error": {"a": 0.01, "b": 0.0}}, {"head": 0.5}])
def test_the_lowering_is_at_fault_where_a_layer_disagrees(change):
    got = dataclasses.replace(GOOD, float_accuracy=0.25, agreement=0.5, **change)
    assert len(got.local_faults) == 1
    assert got.verdict.startswith("the integers disagree locally: the lowering is at fault")


def test_head_is_measured_on_float_spikes():
    """Wrong heads alone are a local fault, though no spike differs."""
    net = sw.load(FIXTURES / "best_digits.weights.npz")
    images, labels = fixture_split(FIXTURES / "best_digits")
    network = net.lower(size=images.shape[-2:])
    reference = Reference(net, images[:64], labels[:64])
    assert reference.compare(network).head == 1.0
    reference.predictions = (reference.predictions + 1) % 10
    assert reference.compare(network).head == 0.0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"integer_accuracy": 0.947}, None),  # 0.3 points of many images
        ({"integer_accuracy": 0.9469}, "accuracy falls by more than 0.30 points"),
        ({"images": 100, "integer_accuracy": 0.94}, None),  # one image, where that is more
        ({"images": 100, "integer_accuracy": 0.9399}, "accuracy falls by more than 1.00 points"),
        ({"integer_accuracy": 1.0}, None),
        ({"agreement": 0.99}, None),
        ({"agreement": 0.9899}, "agreement is below 99%"),
        ({"stored": 0.99}, None),
        ({"stored": 0.9899}, "agreement with the stored predictions is below 99%"),
        ({"local_error": {"a": 0.0005, "b": 0.0}}, None),
        ({"local_error": {"a": 0.0, "b": 0.00051}}, "local spike error of b is above 0.05%"),
        ({"head": 0.95}, None),
        ({"head": None}, None),
        (
            {"head": 0.9499},
            "heads fed the float network's spikes agree in 94.99%, below 95%",
        ),
    ],
)
def test_each_floor(change, fault):
    assert dataclasses.replace(GOOD, **change).faults == ([fault] if fault else [])


def test_table():
    got = dataclasses.replace(
        GOOD,
        integer_accuracy=0.9375,
        agreement=0.975,
        stored=0.995,
        local_error={"a": 0.0001, "b": 0.0002},
        rates={"a": 0.125, "b": 0.25},
    )
    assert got.worst == 0.0002
    assert got.table() == "\n".join(
        [
            "net: 1000 images",
            "  float accuracy         95.00%",
            "  integer accuracy       93.75%  (-1.25 points)",
            "  equal predictions      97.50%  (floor 99%)",
            "  equal to the stored    99.50%  (floor 99%)",
            "  worst local error     0.0200%  (floor 0.05%)",
            "  layer                          rate     local spike error",
            "    a                             12.50%    0.0100%",
            "    b                             25.00%    0.0200%",
            "  NOT MET: accuracy falls by more than 0.30 points",
            "  NOT MET: agreement is below 99%",
            f"  {got.verdict}",
        ]
    )
    assert "stored" not in GOOD.table()
    assert "NOT MET" not in GOOD.table()
