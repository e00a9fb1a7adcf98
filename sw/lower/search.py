"""Float graph to integer network: the search for formats in which it fits."""

import warnings

import numpy as np

from hw.arch.formats import FACTOR_BITS, MAX_STEPS, MEMBRANE_MAX, MEMBRANE_MIN, STATE_SHIFTS
from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.golden import run
from sw.images import as_frames
from sw.lower import quantise
from sw.lower.context import Context, Options
from sw.lower.units import groups, spike_tensors, stored_tensors
from sw.lower.walk import walk
from sw.network import BinaryLayer, IntegerNetwork

HEAD_WEIGHT_BITS = 8  #: Weights of heads that are not whole already.
FRAC_BITS = 12  #: Fraction bits where nothing forces fewer.
MIN_FRAC_BITS = 6
PEAK_SIGMAS = 6  #: Built-in estimate of the residual stream's peak, in standard deviations.


def lower(
    net: g.FloatNetwork,
    calibration: np.ndarray | None = None,
    *,
    zero_weights: str = "refuse",
    size: tuple[int, int] | None = None,
    per_step: bool | None = None,
    stream: bool | None = None,
    frac_bits: int | None = None,
    pixel_weight_bits: int | None = None,
    head_weight_bits: int = HEAD_WEIGHT_BITS,
) -> IntegerNetwork:
    """Lower a float network to integers.

    Parameters
    ----------
    calibration : images on which the residual stream is measured, shaped as for ``run``.
        Without them its peak is estimated from the BatchNorms.
    zero_weights : what a weight equal to its filter's mean becomes, which has no sign:
        'refuse', 'plus' or 'minus'.
    size : image height and width; needed only where neither the file nor ``calibration`` tell.
    per_step : one frame per step instead of one image; default as in ``calibration``.
    stream : images are the steps of one stream: the neurons, which all need a quantised state,
        keep it from image to image, and every image has logits of its own. Default: what the
        network was trained for, ``net.stream``.
    frac_bits : fraction bits of membranes and residuals; default 12, fewer where the residual
        stream or a scale would not fit (``meta["frac_bits"]`` tells why). Neurons of quantised
        state have units of their own.
    pixel_weight_bits : 2 to 18, mantissa of the first weights; default what the network was
        trained with (``net.meta["pixel_weight_bits"]``), else the fewest that bring the error of
        the first sums within a tenth of the least. The integer network's ``meta`` tells the choice.
    head_weight_bits : 2 to 18, width of the last weights where they are not whole already.
    """
    net.check_sources()
    if zero_weights not in ("refuse", "plus", "minus"):
        raise SpikeloomError(f"zero_weights must be refuse, plus or minus, not {zero_weights!r}")
    if pixel_weight_bits is None:  # a network that was trained through its rounding
        pixel_weight_bits = net.meta.get("pixel_weight_bits")
    for what, bits in (("pixel", pixel_weight_bits), ("head", head_weight_bits)):
        if bits is None and what == "pixel":
            continue
        if not isinstance(bits, int) or not 2 <= bits <= FACTOR_BITS:
            raise SpikeloomError(f"{what}_weight_bits must be 2 to {FACTOR_BITS}, not {bits!r}")
    if frac_bits is not None and frac_bits not in range(1, 16):
        raise SpikeloomError(f"frac_bits must be 1 to 15, not {frac_bits!r}")
    stream = net.stream if stream is None else bool(stream)
    if net.steps > MAX_STEPS and not stream:
        raise SpikeloomError(
            f"{net.name}: {net.steps} steps in one call, wanted 1 to {MAX_STEPS}; lower it as a "
            "stream (stream=True, --stream), or give fewer steps"
        )
    if calibration is not None:
        frames = as_frames(calibration, channels=net.channels, steps=net.steps)
        size = size or frames.shape[3:]
        per_step = calibration.ndim == 5 if per_step is None else per_step
    if stream and per_step:
        raise SpikeloomError(
            f"{net.name}: the images of a stream are its frames; leave per_step out, and give "
            "calibration images of shape (B, C, H, W)"
        )
    size = size or net.size
    if size is None:
        raise SpikeloomError(
            f"{net.name}: the image size is not known; give size=(height, width) or "
            "calibration images"
        )
    height, width = (int(side) for side in size)
    if min(height, width) < 1:
        raise SpikeloomError(f"{net.name}: image size must be 1x1 or more, not {height}x{width}")
    options = Options(
        height=height,
        width=width,
        per_step=bool(per_step),
        stream=stream,
        zero_weights=zero_weights,
        pixel_weight_bits=pixel_weight_bits,
        head_weight_bits=head_weight_bits,
    )
    network = _search(net, options, calibration, frac_bits)
    for layer, channels in network.meta.get("dead_channels", {}).items():
        named = ", ".join(map(str, channels[:8]))
        more = f" and {len(channels) - 8} more" if len(channels) > 8 else ""
        warnings.warn(
            f"{net.name}: {layer}: output channel{'s' * (len(channels) > 1)} {named}{more} "
            f"{'are' if len(channels) > 1 else 'is'} dead (running variance about 0); its scale "
            "is clamped, and all else is as it would be without it",
            stacklevel=2,
        )
    return network


def _search(
    net: g.FloatNetwork, options: Options, calibration: np.ndarray | None, frac_bits: int | None
) -> IntegerNetwork:
    """The network in the finest formats that fit, or in those given."""
    if frac_bits is not None:
        try:
            return _fit(net, options, frac_bits, {"why": "given"})
        except quantise.DoesNotFitError as error:
            raise SpikeloomError(f"{net.name}: {error}; give fewer frac_bits") from None

    stored = plain_stored(net)
    peak = estimate_peak(net) if stored and calibration is None else None
    why: list[str] = []
    for bits in range(FRAC_BITS, MIN_FRAC_BITS - 1, -1):
        if peak is not None and peak * 2.0**bits > MEMBRANE_MAX:
            why.append(f"{bits}: estimated residual peak {peak:.1f} would saturate")
            continue
        try:
            note: dict = {"why": "; ".join(why) or "default"}
            if peak is not None:
                note["residual_peak_estimated"] = round(peak, 3)
            network = _fit(net, options, bits, note)
        except quantise.DoesNotFitError as error:
            why.append(str(error))
            continue
        if calibration is None or not stored:
            return network
        measured, saturated = _measure_peak(network, stored, calibration)
        if not saturated:
            meta = network.meta
            note = {**meta["frac_bits"], "residual_peak_measured": round(measured, 3)}
            return network.replace(meta={**meta, "frac_bits": note})
        why.append(f"{bits}: the residual stream saturates on the calibration images")
    raise SpikeloomError(
        f"{net.name}: no format from {FRAC_BITS} to {MIN_FRAC_BITS} fraction bits holds it: "
        f"{'; '.join(why)}; train it with smaller BatchNorm scales, or give frac_bits"
    )


def _fit(net: g.FloatNetwork, options: Options, frac_bits: int, note: dict) -> IntegerNetwork:
    """The network with the largest state shifts in which its scales fit."""
    shifts: dict[str, int] = {}
    while True:
        context = Context(net, options, frac_bits, shifts)
        try:
            network = walk(context, note)
        except quantise.DoesNotFitError as error:
            if error.group is None:
                raise
            group = context.units.groups[error.group]
            shift = context.units.shift(group, group.neurons[0])
            smaller = [s for s in STATE_SHIFTS if s < shift]
            if not smaller:
                raise SpikeloomError(
                    f"{net.name}: {error}, the fewest there are; train it with smaller "
                    "BatchNorm scales"
                ) from None
            shifts[error.group] = max(smaller)
            reasons = note.get("states", [])
            note = {**note, "states": [*reasons, f"shift {max(smaller)}: {error}"]}
            continue
        return network


def _measure_peak(
    network: IntegerNetwork, names: frozenset[str], images: np.ndarray
) -> tuple[float, bool]:
    """Largest magnitude (real) of residuals on ``images``, and whether it reached the limits."""
    peak = 0
    for start in range(0, len(images), 64):
        trace = run(network, images[start : start + 64], trace=True).trace
        peak = max([peak, *(int(np.abs(trace[name]).max()) for name in names)])
    return peak / 2.0**network.frac_bits, peak >= min(MEMBRANE_MAX, -MEMBRANE_MIN)


def residual_names(network: IntegerNetwork) -> list[str]:
    """Names of the residual tensors, in order."""
    found = (la.residual for la in network.layers if isinstance(la, BinaryLayer))
    return [residual.output for residual in found if residual]


def plain_stored(net: g.FloatNetwork) -> frozenset[str]:
    """Names of the stored tensors whose unit the fraction bits settle.

    What leads to a neuron of quantised state alone has the unit of that neuron.
    """
    table = groups(net)
    return frozenset(
        name
        for name in stored_tensors(net)
        if name in table and not any(n.state_bits for n in table[name].neurons)
    )


def estimate_peak(net: g.FloatNetwork) -> float:
    """Peak of the residual stream from BatchNorm weights, which are its branches' deviations.

    Branch channels have mean ``bias`` and deviation ``|weight|``; means add, variances of a
    branch and the stream add, and the two streams of an average move together. Spikes are 0 or
    1. Where neurons want twice their input the peak counts twice.
    """
    moments: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    peak = 0.0
    stored, table = plain_stored(net), groups(net)
    for name in spike_tensors(net):
        moments[name] = np.array(0.5), np.array(0.5)
    for node in net.nodes:
        match node:
            case g.BatchNorm():
                moments[node.name] = node.bias.astype(float), np.abs(node.weight).astype(float)
            case g.Average():
                (m, s), (n, r) = moments[node.older], moments[node.newer]
                moments[node.name] = (m + n) / 2, (s + r) / 2
            case g.Add():
                (m, s), (n, r) = moments[node.branch], moments[node.stream]
                moments[node.name] = m + n, np.hypot(s, r)
        if node.name in stored:
            m, s = moments[node.name]
            twice = any(not n.decay_input for n in table[node.name].neurons)
            peak = max(peak, float((np.abs(m) + PEAK_SIGMAS * s).max()) * (1 + twice))
    return peak
