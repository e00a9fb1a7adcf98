"""`sw.agree` tells a network that was trained too briefly from a lowering that is wrong."""

import dataclasses

import pytest

import sw
from sw.agree import Agreement, Reference, fixture_split, main
from tests.fixtures import FIXTURES

pytest.importorskip("torch")
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


def test_exit_status(capsys, monkeypatch):
    stem = ["--fixture", str(FIXTURES / "best_digits")]
    compare = Reference.compare
    assert main([*stem, "--pixel-weight-bits", "8"]) == 1
    assert "the lowering is at fault" in capsys.readouterr().out
    monkeypatch.setattr(
        Reference,
        "compare",
        lambda self, network: dataclasses.replace(compare(self, network), agreement=0.5),
    )
    assert main(stem) == 3
    assert "the float network itself is at 95." in capsys.readouterr().out


def test_option_errors_name_the_form(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["digits", "--frac-bits", "x"])
    assert stop.value.code == 2
    assert "'x' is not a number of bits, wanted a whole number from 0" in capsys.readouterr().err
