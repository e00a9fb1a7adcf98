"""Accuracy, agreement and local spike error of lowered networks on their whole test splits."""

import pytest

import sw
from sw.agree import Reference, digits_split, fixture_split, main, sweep
from tests.fixtures import FIXTURES

pytest.importorskip("torch")


@pytest.fixture(scope="module", params=["best_digits", "best_kv_a", "digits"])
def reference(request):
    if request.param == "digits":
        pytest.importorskip("sklearn")
        net = sw.load("digits")
        return Reference(net, *digits_split(net))
    net = sw.load(FIXTURES / f"{request.param}.weights.npz")
    return Reference(net, *fixture_split(FIXTURES / request.param))


def test_floors_are_met(reference):
    net = reference.net
    got = reference.compare(net.lower(size=reference.images.shape[-2:]))
    assert got.faults == [], got.table()
    assert got.images == 360


def test_attention_maps_are_exact(reference):
    """Whole counts in, soft reset: with T fraction bits or more no spike may differ."""
    got = reference.compare(reference.net.lower(size=reference.images.shape[-2:]))
    maps = {k: v for k, v in got.local_error.items() if k.endswith("attn_lif0")}
    assert maps
    assert not any(maps.values())


def test_narrower_pixel_weights_miss_a_floor(reference):
    """The default is no luxury: with 9 bits every network misses a floor."""
    chosen = reference.net.lower(size=reference.images.shape[-2:]).meta["pixel_weight_bits"]
    trained = reference.net.meta.get("pixel_weight_bits")  # through the rounding of so many
    assert chosen == trained or (trained is None and 14 <= chosen <= 18)
    text = sweep(reference, [9])
    assert "is above" in text or "is below" in text


def test_command_prints_the_table(capsys):
    assert main(["--fixture", str(FIXTURES / "best_digits")]) == 0
    out = capsys.readouterr().out
    assert "equal predictions" in out
    assert "block.0.mlp.mlp2_lif" in out
    assert main(["--fixture", str(FIXTURES / "absent")]) == 1
    assert "error: " in capsys.readouterr().err
