"""Random networks with pools of spikes behind every form of a layer on the array."""

import numpy as np

from sw.golden.execute import IMAGE
from sw.network import Head, Mean, Residual, SpikePool, State
from sw.testing.maker import SAMPLES, Maker

#: Options of `pooled_network`, which draw every form of a layer.
KINDS = {
    "plain": {},
    "codes": {"bits": 4},
    "stream": {"bits": 2, "steps": 1, "stream": True},
    "another reader": {"shared": True},
    "taps": {"widths": (8, 16, 24)},
    "words": {"widths": (32, 40, 16), "size": 1},
}


def beginning(seed, side, *, steps, bits, stream):
    """Maker with images of one channel, of neurons that store membranes of ``bits`` (0: none)."""
    maker = Maker(seed, steps, 12, stream=stream)
    if bits:
        levels = (1 << (bits - 1)) - 1
        maker.one = 4096
        thresholds = np.sort(maker.rng.choice(250, levels, replace=False)) * 32 + 40
        maker.state = State(bits=bits, thresholds=thresholds, shift=4)
    frames = (SAMPLES, 1) if stream else (1, SAMPLES)
    maker.env[IMAGE] = maker.rng.integers(0, 256, (*frames, 1, *side), dtype=np.uint8)
    return maker


def pooled_network(
    seed, *, side, steps=2, widths=(8, 24, 40), size=3, bits=0, stream=False, shared=False
):
    """Network whose pools follow plain layers, sums with residuals and shortcuts, and a pool.

    Parameters
    ----------
    side : (height, width) of the image.
    widths : channels of the first layer, of those that add residuals, of those after them.
    size : kernel of the layers behind the first pool; 3 lets narrow pools be packed by taps.
    bits : width of stored membranes, 0 for none.
    stream : images are steps; ``steps`` must be 1.
    shared : the first pool's spikes have another reader, too.
    """
    maker = beginning(seed, side, steps=steps, bits=bits, stream=stream)
    first, inner, last = widths
    p = maker.pixel("pixel", 1, first, "p")
    a = maker.binary("a", p, first, 3, "a.s")
    a = maker.add(SpikePool(name="a.pool", source=a), "a.pool")
    if shared:
        maker.binary("other", "a.s", first, 3, "other.s")
        maker.add(Mean(name="other.mean", source="other.s", factor=1, bias=0, shift=4), "")
    maker.binary("r", a, inner, size, None, Residual(output="r.sum"))
    b = maker.binary("b", a, inner, size, "b.s", Residual(output="b.sum", inputs=("r.sum",)))
    c = maker.binary("c", a, inner, size, "c.s", Residual(output="c.sum", inputs=("b.sum",)))
    b = maker.add(SpikePool(name="b.pool", source=b), "b.pool")
    c = maker.add(SpikePool(name="c.pool", source=c), "c.pool")
    d = maker.binary("d", b, inner, 3, "d.s", shortcut=c)
    d = maker.add(SpikePool(name="d.pool", source=d), "d.pool")
    e = maker.add(SpikePool(name="e.pool", source=d), "e.pool")
    z = maker.binary("z", e, last, 3, "z.s")
    maker.add(Mean(name="mean", source=z, factor=500, bias=1 << 9, shift=10), "mean")
    weight = maker.rng.integers(-99, 100, (3, last))
    head = Head(
        name="logits",
        sources=("mean",),
        weight=weight,
        bias=np.zeros(3, np.int64),
        shift=4,
        weight_bits=8,
        scale=1.0,
    )
    maker.add(head, "logits")
    shape = {"steps": steps, "channels": 1, "height": side[0], "width": side[1], "classes": 3}
    return maker.network(seed, **shape, per_step_input=False, stream=stream)
