"""Random networks in the layer order of a Q-SNN: residual nets and plain ones."""

import numpy as np

from hw.arch.formats import (
    MEMBRANE_MAX,
    PRODUCT_BITS,
    SHIFTS,
    STATE_BITS,
    STATE_CELLS,
    STATE_MAX,
    STATE_SHIFTS,
    state_cell,
    state_levels,
)
from sw.api import IntegerNetwork
from sw.golden.execute import IMAGE
from sw.network import Head, Mean, Residual, SpikePool, State
from sw.testing.maker import SAMPLES, Maker


def random_residual_network(
    seed: int,
    *,
    height: int,
    width: int,
    channels: int,
    widths: tuple[int, ...],
    blocks: tuple[int, ...] = (),
    stem: int = 3,
    bits: int | None = None,
    steps: int,
    classes: int,
    halve: tuple[int, ...] = (),
    first: tuple[int, int] = (3, 1),
    pooled: bool = False,
    flatten: bool | None = None,
    per_step_input: bool = False,
    stream: bool = False,
    wide: bool = False,
) -> IntegerNetwork:
    """Random network in the layer order of a lowered Q-SNN, scaled on random images to fire.

    Includes negative, zero and very large scales and shortcuts, states of all shifts, and
    thresholds that are never reached. The same arguments give the same network.

    Parameters
    ----------
    widths : channels of each stage, or of each convolution of a plain net.
    blocks : residual blocks of each stage; all stages after the first begin with stride 2 and a
        projection. () makes a plain (VGG) net.
    stem : kernel of the first convolution, 3, 5, or 7 with stride 2 and a 3x3 pool of spikes.
    bits : width of the stored membranes; None draws one for each neuron, 0 leaves them whole.
    halve : convolutions of a plain net, from 1 on, that halve the sides: by stride, or, with
        ``pooled``, by averages of 2x2 spikes.
    first : kernel and stride of a plain net's first convolution.
    flatten : whether the head reads every pixel instead of means; default in plain nets.
    stream : images are the steps of one stream; ``steps`` must be 1.
    wide : as for ``random_network``.
    """
    maker = _Maker(seed, steps, bits, stream=stream, wide=wide)
    frames = (SAMPLES, 1) if stream else (steps if per_step_input else 1, SAMPLES)
    shape = (*frames, channels, height, width)
    maker.env[IMAGE] = maker.rng.integers(0, 256, shape, dtype=np.uint8)
    if blocks:
        source = _residual(maker, channels, widths, blocks, stem)
    else:
        source = _plain(maker, channels, widths, halve, pooled, first)
    maker.head(source, classes, not blocks if flatten is None else flatten)
    return maker.network(
        seed,
        steps=steps,
        channels=channels,
        height=height,
        width=width,
        classes=classes,
        per_step_input=per_step_input,
        stream=stream,
    )


def _residual(
    maker: "_Maker", channels: int, widths: tuple[int, ...], blocks: tuple[int, ...], stem: int
) -> str:
    source = maker.pixel("conv1", channels, widths[0], "lif1", stem, 2 if stem == 7 else 1)
    if stem == 7:
        source = maker.add(SpikePool(name="maxpool", source=source), "maxpool")
    inputs = widths[0]
    for stage, (out, count) in enumerate(zip(widths, blocks, strict=True)):
        for number in range(count):
            name = f"layer{stage + 1}.{number}"
            stride = 2 if stage and not number else 1
            maker.draw_state()
            inner = maker.binary(f"{name}.conv1", source, out, 3, f"{name}.lif1", stride=stride)
            maker.draw_state()
            options: dict = {"shortcut": source}
            if stride != 1 or inputs != out:
                short = f"{name}.downsample"
                kept = Residual(output=f"{short}.bn.bn")
                maker.binary(f"{short}.layer.module", source, out, 1, None, kept, stride=stride)
                options = {"residual": Residual(output=f"{name}.sum", inputs=(kept.output,))}
            source = maker.binary(f"{name}.conv2", inner, out, 3, f"{name}.lif2", **options)
            inputs = out
    return source


def _plain(
    maker: "_Maker",
    channels: int,
    widths: tuple[int, ...],
    halve: tuple[int, ...],
    pooled: bool,
    first: tuple[int, int],
) -> str:
    name = "features.0.fwd.module.0"
    source = maker.pixel(name, channels, widths[0], "features.0.act", *first)
    for n, out in enumerate(widths[1:], 1):
        how: dict = {"pool" if pooled else "stride": 2} if n in halve else {}
        maker.draw_state()
        stem = f"features.{n}"
        source = maker.binary(f"{stem}.fwd.module.0", source, out, 3, f"{stem}.act", **how)
    return source


class _Maker(Maker):
    """Layers whose neurons keep codes."""

    def __init__(self, seed: int, steps: int, bits: int | None, *, stream: bool, wide: bool):
        super().__init__(seed, steps, frac_bits=12, stream=stream, wide=wide)
        self.bits = bits
        self.repeat = float(self.rng.choice([0.0, 0.4, 1.0]))  # share of neurons like the last
        self.draw_state()

    def draw_state(self) -> None:
        """A state, and a threshold to go with it, for the neurons from here on."""
        rng, bits = self.rng, self.bits
        if bits == 0 or (self.state is not None and rng.random() < self.repeat):
            return
        bits = int(rng.choice(STATE_BITS)) if bits is None else bits
        levels = state_levels(bits)
        usual = [s for s in STATE_SHIFTS if 1 << 7 <= levels << (s + 1) <= 1 << 15]
        shift = int(rng.choice(usual if rng.random() < 0.8 else STATE_SHIFTS))
        self.one = int(np.clip((levels << (shift + 1)) * rng.uniform(0.5, 1.5), 256, 1 << 15))
        cell = state_cell(shift)
        most = STATE_CELLS - 2
        cells = rng.choice(min(most, max(2 * levels, int(1.2 * self.one) // cell)), levels, False)
        places = np.maximum(cells * cell + rng.integers(0, cell, levels), 1)
        places[rng.random(levels) < 0.1] = STATE_MAX + 1
        thresholds = np.sort(places)
        self.state = State(bits=bits, thresholds=thresholds, shift=shift)

    def head(self, source: str, classes: int, flatten: bool) -> None:
        """Mean and head, whose logits do not saturate on the samples."""
        rng, spikes = self.rng, self.env[source]
        shift = int(rng.choice(SHIFTS))
        count = spikes.shape[3] * spikes.shape[4] * self.steps
        gain = MEMBRANE_MAX / (self.steps if flatten else count)
        factor = max(1, int(min((1 << 16) - 1, gain * (1 << shift)) * rng.uniform(0.1, 1.0)))
        mean = Mean(
            name="flatten" if flatten else "avgpool",
            source=source,
            factor=factor,
            bias=1 << (shift - 1),
            shift=shift,
            over_tokens=not flatten,
        )
        self.add(mean, mean.name)
        inputs = self.env[mean.name].shape[1]
        bits = int(rng.integers(6, 10))
        room = (1 << (PRODUCT_BITS - 2)) // ((MEMBRANE_MAX + 1) * inputs)
        limit = max(1, min((1 << (bits - 1)) - 1, room))
        weight = rng.integers(-limit, limit + 1, (classes, inputs))
        bias = rng.integers(-(1 << 20), 1 << 20, classes)
        largest = int(np.abs(self.env[mean.name] @ weight.T + bias).max())
        fits = [s for s in SHIFTS if largest >> s <= MEMBRANE_MAX // 2]
        layer = Head(
            name="logits",
            sources=(mean.name,),
            weight=weight,
            bias=bias,
            shift=min(fits, default=max(SHIFTS)),
            weight_bits=bits,
            scale=1.0,
        )
        self.add(layer, layer.name)
