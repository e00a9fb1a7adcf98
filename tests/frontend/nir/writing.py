"""Networks to be written as NIR graphs, and the comparison with what comes back."""

import dataclasses

import numpy as np
import pytest

import sw
from sw.api import FloatNetwork
from sw.graph import IMAGE, BatchNorm, Conv, Linear, MeanSteps, MeanTokens

nir = pytest.importorskip("nir")
pytest.importorskip("torch")

TOLD = {"steps": 3, "membrane_bits": 4, "mean": (0.4, 0.5), "std": (0.2, 0.25)}


def load(tmp_path, state, **options):
    np.savez(tmp_path / "net.npz", **state)
    return sw.load(tmp_path / "net.npz", **{**TOLD, **options})


def there_and_back(tmp_path, net, **options):
    path = sw.nir.save(net, tmp_path / "out.nir", lossy=True, **options)
    nir.read(path)  # NIR's own types and shapes
    return sw.load(path)


def same(net, back, images, *, tolerance):
    want, got = (n.run(images, trace=True) for n in (net, back))
    assert list(got.trace) == list(want.trace)
    for name, spikes in want.trace.items():
        assert spikes.any(), name
        np.testing.assert_array_equal(got.trace[name], spikes, name)
    np.testing.assert_allclose(got.logits, want.logits, atol=tolerance, rtol=0)
    told = ("name", "steps", "channels", "classes", "mean", "std")
    assert [getattr(net, k) for k in told] == [getattr(back, k) for k in told]


def images_of(net, size, count=16):
    shape = (count, net.channels, *size)
    return np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)


def plain(nodes, **options):
    given = {"name": "t", "steps": 4, "channels": 1, "classes": 2, "mean": (0.0,), "std": (1.0,)}
    return FloatNetwork(nodes=tuple(nodes), **{**given, "size": (6, 6), **options})


def small(lif, *, seed=0, kernel=3, **options):
    rng = np.random.default_rng(seed)

    def layer(name, source, out, inputs, side):
        weight = rng.normal(size=(out, inputs, side, side)).astype(np.float32)
        norm = [rng.normal(size=out).astype(np.float32) for _ in range(3)]
        var = rng.uniform(2, 9, out).astype(np.float32)
        pad = side // 2 if side == 3 else 0
        return [
            Conv(name=name, source=source, weight=weight, binary=source != IMAGE, padding=pad),
            BatchNorm(
                name=f"{name}b",
                source=name,
                weight=norm[0] + 2,
                bias=norm[1] + 1,
                mean=norm[2],
                var=var,
            ),
        ]

    head = rng.normal(size=(2, 5)).astype(np.float32)
    bias = np.ones(2, np.float32)
    nodes = [
        *layer("a", IMAGE, 4, 1, 3),
        dataclasses.replace(lif, name="sa", source="ab"),
        *layer("c", "sa", 5, 4, kernel),
        dataclasses.replace(lif, name="sc", source="cb"),
        MeanTokens(name="mean", source="sc", over_steps=False),
        Linear(name="head", source="mean", weight=head, bias=bias),
        MeanSteps(name="logits", source="head"),
    ]
    return plain(nodes, **options)
