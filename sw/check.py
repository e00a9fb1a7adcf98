"""Checks of an integer network: names, shapes, ranges, and that no accumulator overflows."""

import math

import numpy as np
from numpy.typing import ArrayLike

from hw.arch import formats, isa
from hw.common.errors import SpikeloomError

PRODUCT_MAX = (1 << (formats.PRODUCT_BITS - 1)) - 1
MAX_COUNT = (1 << (formats.ACC_BITS[1] - 1)) - 1  #: Of an array element of the widest core.
THETA_MAX = min(formats.MEMBRANE_MAX, isa.BY_NAME["theta"].most)


def tensor_shapes(network) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor without steps and batch, by name.

    Spikes and residuals (C, H, W); maps (H, N, N) or (H, d, d); means and logits (C,). Checks
    names, order and shapes on the way.
    """
    from sw import network as nw

    shapes: dict[str, tuple[int, ...]] = {}

    def fail(layer, text: str):
        raise SpikeloomError(f"Integer network {network.name}: layer {layer.name}: {text}")

    def get(layer, name: str, rank: int) -> tuple[int, ...]:
        if name not in shapes:
            fail(layer, f"reads {name!r}, which no earlier layer writes")
        if len(shapes[name]) != rank:
            fail(layer, f"reads {name!r} of shape {shapes[name]}, wanted {rank} axes")
        return shapes[name]

    def put(layer, name: str, shape: tuple[int, ...]) -> None:
        if name in shapes:
            fail(layer, f"writes {name!r} a second time")
        shapes[name] = shape

    def want(layer, what: str, got: tuple, shape: tuple) -> None:
        if got != shape:
            fail(layer, f"{what} has shape {got}, wanted {shape}")

    for layer in network.layers:
        match layer:
            case nw.PixelConv():
                out, _, kh, kw = layer.weight.shape
                want(layer, "weight", layer.weight.shape, (out, network.channels, kh, kw))
                want(layer, "bias", layer.bias.shape, (out,))
                want(layer, "centre", (len(layer.centre),), (network.channels,))
                _choice(layer, fail, "stride", (1, 2))
                room = (
                    network.height + 2 * layer.padding - kh,
                    network.width + 2 * layer.padding - kw,
                )
                if min(room) < 0:
                    fail(layer, f"kernel {kh}x{kw} does not fit the image")
                put(layer, layer.neuron.name, (out, *(n // layer.stride + 1 for n in room)))
            case nw.BinaryLayer():
                source = get(layer, layer.source, 3)
                out, _, kh, kw = layer.weight.shape
                want(layer, "weight", layer.weight.shape, (out, source[0], kh, kw))
                if layer.weight.dtype != np.bool_ or (kh, kw) not in ((1, 1), (3, 3)):
                    fail(
                        layer,
                        f"weight must be bool and 1x1 or 3x3, not {layer.weight.dtype} {kh}x{kw}",
                    )
                want(layer, "factor", layer.affine.factor.shape, (out,))
                want(layer, "bias", layer.affine.bias.shape, (out,))
                _choice(layer, fail, "stride", (1, 2))
                _choice(layer, fail, "pool", (1, 2))
                if layer.pool * layer.stride > 2:
                    fail(layer, "pools and strides at once")
                sides = tuple(-(-(n // layer.pool) // layer.stride) for n in source[1:])
                if min(sides) < 1:
                    fail(layer, f"pools {source[1]}x{source[2]} spikes to nothing")
                shape = (out, *sides)
                if layer.residual is None and layer.neuron is None:
                    fail(layer, "has neither neuron nor residual")
                if layer.shortcut is not None:
                    if layer.residual is not None and layer.residual.inputs:
                        fail(layer, "adds a shortcut and a residual")
                    name = layer.shortcut.source
                    want(layer, name, get(layer, name, 3), shape)
                if layer.residual is not None:
                    if len(layer.residual.inputs) > 2:
                        fail(layer, f"adds {len(layer.residual.inputs)} residuals, at most 2")
                    for name in layer.residual.inputs:
                        want(layer, name, get(layer, name, 3), shape)
                    put(layer, layer.residual.output, shape)
                if layer.neuron is not None:
                    put(layer, layer.neuron.name, shape)
            case nw.SpikePool():
                c, h, w = get(layer, layer.source, 3)
                put(layer, layer.name, (c, -(-h // 2), -(-w // 2)))
            case nw.AttentionMap():
                c, h, w = get(layer, layer.left, 3)
                want(layer, layer.right, get(layer, layer.right, 3), (c, h, w))
                _modes(layer, fail, c)
                side = h * w if layer.order == "qk" else c // layer.heads
                want(layer, "factor", layer.affine.factor.shape, (1,))
                want(layer, "bias", layer.affine.bias.shape, (1,))
                put(layer, layer.neuron.name, (layer.heads, side, side))
            case nw.AttentionApply():
                c, h, w = get(layer, layer.source, 3)
                _modes(layer, fail, c)
                side = h * w if layer.order == "qk" else c // layer.heads
                want(layer, layer.map, get(layer, layer.map, 3), (layer.heads, side, side))
                for what in ("factor", "bias"):
                    array = getattr(layer.affine, what)
                    want(layer, what, array.shape, (network.steps, layer.heads))
                put(layer, layer.neuron.name, (c, h, w))
            case nw.Mean():
                source = get(layer, layer.source, 3)
                put(layer, layer.name, source[:1] if layer.over_tokens else (math.prod(source),))
            case nw.Head():
                inputs = sum(get(layer, source, 1)[0] for source in layer.sources)
                want(layer, "weight", layer.weight.shape, (network.classes, inputs))
                want(layer, "bias", layer.bias.shape, (network.classes,))
                put(layer, layer.name, (network.classes,))
            case _:
                raise SpikeloomError(f"Integer network {network.name}: unknown layer {layer!r}")
    return shapes


def _choice(layer, fail, what: str, wanted: tuple[int, ...]) -> None:
    value = getattr(layer, what)
    if value not in wanted:
        fail(layer, f"{what} must be {' or '.join(map(str, wanted))}, not {value!r}")


def _modes(layer, fail, channels: int) -> None:
    if layer.order not in ("qk", "kv"):
        fail(layer, f"order must be qk or kv, not {layer.order!r}")
    if layer.heads < 1 or channels % layer.heads:
        fail(layer, f"{channels} channels do not divide into {layer.heads} heads")
    similarity = getattr(layer, "similarity", "and")
    if similarity not in ("and", "xnor") or (layer.order, similarity) == ("kv", "xnor"):
        fail(layer, f"similarity {similarity!r} does not exist in order {layer.order}")


def largest_sum(network, layer, shapes: dict[str, tuple[int, ...]]) -> int:
    """Largest magnitude of S of a layer with affine arithmetic."""
    from sw import network as nw

    match layer:
        case nw.BinaryLayer():
            return math.prod(layer.weight.shape[1:]) * layer.pool**2
        case nw.AttentionMap():
            c, h, w = shapes[layer.left]
            return c // layer.heads if layer.order == "qk" else h * w
        case nw.AttentionApply():
            return shapes[layer.map][1]
    raise TypeError(type(layer).__name__)


def check_network(network) -> None:
    """Raise a ``SpikeloomError`` naming the first fault of an integer network."""
    from sw import network as nw

    def fail(text: str):
        raise SpikeloomError(f"Integer network {network.name}: {text}")

    def bound(what: str, value, low: int, high: int) -> None:
        array = np.asarray(value)
        if array.dtype.kind not in "iu" or array.size == 0:
            fail(f"{what} must hold integers, not {array.dtype} of shape {array.shape}")
        if array.min() < low or array.max() > high:
            fail(f"{what} is {array.min()} to {array.max()}, wanted {low} to {high}")

    bound("steps", network.steps, 1, formats.MAX_STEPS)
    for what in ("channels", "classes"):
        bound(what, getattr(network, what), 1, 1 << 20)
    for what, name in (("height", "img_h"), ("width", "img_w")):
        bound(what, getattr(network, what), 1, isa.BY_NAME[name].most)
    bound("frac_bits", network.frac_bits, 0, formats.MEMBRANE_BITS - 2)
    if not network.layers or not isinstance(network.layers[-1], nw.Head):
        fail("the last layer must be a Head")
    shapes = tensor_shapes(network)
    if network.stream:
        neurons = [n for layer in network.layers if (n := getattr(layer, "neuron", None))]
        plain = [n.name for n in neurons if n.state is None]
        if plain:
            fail(f"is a stream, but {', '.join(plain)} keep no membrane between images")
        if network.steps != 1 or network.per_step_input:
            fail("is a stream: steps must be 1, and an image is one step")

    def state(where: str, neuron) -> None:
        kept = neuron.state
        if kept.bits not in formats.STATE_BITS or kept.shift not in formats.STATE_SHIFTS:
            fail(
                f"{where}: a state of {kept.bits} bits and shift {kept.shift}; wanted bits of "
                f"{formats.STATE_BITS} and a shift of {formats.STATE_SHIFTS}"
            )
        if neuron.soft:
            fail(f"{where}: a neuron with a state resets to 0 only, not by subtraction")
        levels = formats.state_levels(kept.bits)
        if kept.thresholds.shape != (levels,):
            fail(f"{where}: {kept.thresholds.shape} thresholds of a state, wanted ({levels},)")
        bound(f"{where}: thresholds", kept.thresholds, 1, formats.STATE_MAX + 1)
        if (np.diff(kept.thresholds) < 0).any():
            fail(f"{where}: the thresholds of a state must ascend")
        cell = formats.state_cell(kept.shift)
        cells = kept.thresholds[kept.thresholds <= formats.STATE_MAX] // cell
        last = formats.STATE_CELLS - (cell == formats.STATE_CELL_FINE)
        if (np.diff(cells) == 0).any() or (cells >= last).any():
            fail(
                f"{where}: thresholds of a state of shift {kept.shift} must lie in cells of {cell} "
                f"units of their own, below {last * cell}; lower with another alpha"
            )

    def accumulator(where: str, worst: int) -> None:
        if worst > PRODUCT_MAX:
            fail(
                f"{where}: sums reach {worst}, the accumulator holds {PRODUCT_MAX}; "
                "lower with fewer frac_bits"
            )

    spikes = {n.name for layer in network.layers if (n := getattr(layer, "neuron", None))}
    for layer in network.layers:
        where = f"layer {layer.name}"
        neuron = getattr(layer, "neuron", None)
        if neuron is not None:
            bound(f"{where}: theta", neuron.theta, 1, THETA_MAX)
            if neuron.state is not None:
                state(where, neuron)
        if (shortcut := getattr(layer, "shortcut", None)) is not None:
            most = formats.MEMBRANE_MAX
            bound(f"{where}: value of the shortcut", shortcut.value, -most, most)
        affine = getattr(layer, "affine", layer)
        if hasattr(affine, "shift") and affine.shift not in formats.SHIFTS:
            fail(f"{where}: shift {affine.shift} is not one of {formats.SHIFTS}")
        if hasattr(affine, "bias"):
            bound(f"{where}: bias", affine.bias, -formats.BIAS_MAX, formats.BIAS_MAX)
        if hasattr(affine, "factor"):
            bound(f"{where}: factor", affine.factor, -formats.FACTOR_MAX, formats.FACTOR_MAX)
        match layer:
            case nw.PixelConv():
                bound(f"{where}: weight", layer.weight, -formats.FACTOR_MAX, formats.FACTOR_MAX)
                for row in layer.weight.reshape(len(layer.weight), -1):
                    if int(np.abs(row).max()) >> _exponent(row) >= 1 << (layer.weight_bits - 1):
                        fail(f"{where}: a mantissa needs more than {layer.weight_bits} bits")
                _check_pixels(network, layer, shapes, where, bound, fail)
                reach = pixel_reach(layer.pixel_shift, layer.centre)
                bound(f"{where}: centred pixel", reach, 0, formats.MEMBRANE_MAX)
                worst = (np.abs(layer.weight).sum(axis=(2, 3)) * reach).sum(axis=1)
                accumulator(where, int((worst + np.abs(layer.bias)).max()))
            case nw.BinaryLayer() | nw.AttentionMap() | nw.AttentionApply():
                largest = largest_sum(network, layer, shapes)
                if largest > MAX_COUNT:
                    fail(
                        f"{where}: counts reach {largest}, an array element holds {MAX_COUNT} at "
                        "most; use fewer channels"
                    )
                _check_tokens(layer, shapes, where, bound)
                worst = np.abs(affine.factor) * largest
                accumulator(where, int((worst + np.abs(affine.bias)).max()))
            case nw.Mean():
                count = network.steps * math.prod(shapes[layer.source][1:])
                if not layer.over_tokens:
                    count = network.steps
                largest = 1 if layer.source in spikes else -formats.MEMBRANE_MIN
                worst = abs(layer.factor) * count * largest + abs(layer.bias)
                accumulator(where, worst)
            case nw.Head():
                limit = (1 << (layer.weight_bits - 1)) - 1
                bound(f"{where}: weight", layer.weight, -limit, limit)
                worst = np.abs(layer.weight).sum(axis=1) * -formats.MEMBRANE_MIN
                accumulator(where, int((worst + np.abs(layer.bias)).max()))


def _check_pixels(network, layer, shapes, where: str, bound, fail) -> None:
    """What the instruction of a first convolution can say."""
    kernel = layer.weight.shape[2:]
    bound(f"{where}: kernel", kernel, 1, isa.MAX_KERNEL)
    bound(f"{where}: padding", layer.padding, 0, isa.BY_NAME["pad_y"].most)
    bound(f"{where}: pixel_shift", layer.pixel_shift, 0, isa.BY_NAME["pix_shift"].most)
    centre = isa.BY_NAME["centre0"]
    bound(f"{where}: centre", layer.centre, centre.least, centre.most)
    if layer.centre[isa.CENTRES :] != layer.centre[: -isa.CENTRES]:
        fail(
            f"{where}: channels k and k + {isa.CENTRES} must have the same centre; give such "
            "channels the same mean"
        )
    outside = [
        (side - 1) * layer.stride >= whole
        for side, whole in zip(
            shapes[layer.neuron.name][1:], (network.height, network.width), strict=True
        )
    ]
    if any(outside):
        fail(
            f"{where}: padding {layer.padding} gives output pixels outside the image with a "
            f"kernel of {kernel[0]}x{kernel[1]}; use a padding of at most half the kernel"
        )


def _check_tokens(layer, shapes, where: str, bound) -> None:
    """Attention takes an image's tokens as one line; XNOR's head width joins the bias."""
    from sw import network as nw

    if isinstance(layer, nw.BinaryLayer):
        return
    name = layer.left if isinstance(layer, nw.AttentionMap) else layer.source
    channels, height, width = shapes[name]
    bound(f"{where}: tokens", height * width, 1, isa.BY_NAME["img_w"].most)
    bound(f"{where}: heads", layer.heads, 1, isa.BY_NAME["n_h"].most)
    if getattr(layer, "similarity", "and") == "xnor":
        joined = layer.affine.bias + layer.affine.factor * (channels // layer.heads)
        most = formats.BIAS_MAX
        bound(f"{where}: bias with the head width in it (XNOR)", joined, -most, most)


def pixel_reach(pixel_shift: int, centre: ArrayLike) -> np.ndarray:
    """Largest ``|p|`` of each input channel over pixels 0 to 255."""
    offset = np.asarray(centre, dtype=np.int64)
    return np.maximum(np.abs(offset), np.abs((255 << pixel_shift) - offset))


def _exponent(row: np.ndarray) -> int:
    """Largest e with 2**e dividing every entry; 0 for a row of zeros."""
    ones = int(np.bitwise_or.reduce(np.abs(row)))
    return (ones & -ones).bit_length() - 1 if ones else 0
