"""Convolutions and linear layers of a NIR graph, with the scales around them."""

import numpy as np

from hw.common.show import shown
from sw.frontend.nir.builder import Builder, Value
from sw.frontend.nir.file import NIRNode
from sw.frontend.nir.values import (
    UnreadableError,
    pair,
    per_channel,
    quantised,
    side,
    signs,
    whole,
)
from sw.graph import IMAGE, BatchNorm, Conv, Flatten, Linear, MeanTokens


def convolution(graph: Builder, node: NIRNode, value: Value) -> Value:
    """Convolution of one stride and padding, without groups."""
    weight = np.asarray(node.fields["weight"], dtype=np.float64)
    bias = np.asarray(node.fields["bias"], dtype=np.float64)
    if weight.ndim != 4 or not weight.size or bias.shape != weight.shape[:1]:
        raise UnreadableError(
            f"weight is {weight.shape} and bias {bias.shape}, wanted (out, in, height, width) "
            "and (out,)"
        )
    if pair(node, "dilation") != (1, 1):
        raise UnreadableError("is dilated, wanted dilation 1")
    stride, groups = side(node, "stride"), whole(node, "groups")
    out, inputs, *kernel = weight.shape
    padding = _padding(node, kernel, stride)
    if value.flat:
        raise UnreadableError(f"reads {value.shape}, wanted (channels, height, width)")
    if groups != 1:
        raise UnreadableError(f"has {groups} groups, wanted 1")
    if value.map is not None and inputs != value.map[0]:
        raise UnreadableError(f"reads {inputs} channels and gets {value.map[0]}")
    if stride < 1:
        raise UnreadableError(f"stride is {stride}, wanted 1 or more")
    shape = None
    if value.map is not None:
        sides = [
            (n + 2 * padding - k) // stride + 1 for n, k in zip(value.map[1:], kernel, strict=True)
        ]
        if min(sides) < 1:
            raise UnreadableError(f"its {kernel[0]}x{kernel[1]} kernel exceeds {value.shape}")
        shape = (out, *sides)
    if value.gain is not None:
        if value.gain.shape[1:] != (1, 1):
            raise UnreadableError("reads pixels of different scale")
        weight = weight * value.gain
    return _layer(graph, node, value, weight, bias, shape, stride=stride, padding=padding)


def _padding(node: NIRNode, kernel: list[int], stride: int) -> int:
    given = node.fields["padding"]
    if not isinstance(given, str):
        return side(node, "padding")
    if given == "valid":
        return 0
    if given != "same" or stride != 1 or kernel[0] != kernel[1] or kernel[0] % 2 == 0:
        raise UnreadableError(
            f"padding is {shown(given)} of a {kernel[0]}x{kernel[1]} kernel of stride {stride}; "
            "write it in numbers, the same on all sides"
        )
    return kernel[0] // 2


def linear(graph: Builder, node: NIRNode, value: Value) -> Value:
    """Last linear layer, or a hidden one as a convolution over the whole map."""
    weight = np.asarray(node.fields["weight"], dtype=np.float64)
    if weight.ndim != 2 or not weight.size:
        raise UnreadableError(f"weight is {weight.shape}, wanted (out, in)")
    out, inputs = weight.shape
    bias = np.asarray(node.fields.get("bias", np.zeros(out)), dtype=np.float64)
    if bias.shape != (out,):
        raise UnreadableError(f"bias is {bias.shape}, wanted ({out},)")
    if value.map is None:
        return Value(tensor=node.name, map=(out, 1, 1), flat=True)
    if value.shape != (inputs,):
        cure = "" if value.flat else "; put a Flatten before it"
        raise UnreadableError(f"reads ({inputs},) and gets {value.shape}{cure}")
    if value.gain is not None:
        weight = weight * np.broadcast_to(value.gain, value.map).ravel()
    shape = (out, 1, 1)
    if not graph.structure.is_last(node):  # a hidden one is a convolution over the whole map
        kernel = weight.reshape(out, *value.map)
        return _layer(graph, node, value, kernel, bias, shape, flat=True)
    factor, bias = _absorb(graph, node, bias, shape)
    weight = weight if factor is None else weight * factor[:, None]
    if value.pool is not None:
        pixels = MeanTokens(name=value.pool[0], source=value.tensor, over_steps=False)
    else:
        pixels = Flatten(name=f"{node.name}.flatten", source=value.tensor)
    weight, bits = weight.astype(np.float32), None
    kept = quantised(node, weight)
    if kept is not None and (kept[1] == 1).all():
        weight, _, bits = kept
    linear = Linear(
        name=node.name,
        source=graph.put(pixels, own=isinstance(pixels, MeanTokens)),
        weight=weight,
        bias=bias.astype(np.float32),
        weight_bits=bits,
    )
    tensor = graph.put(linear)
    return Value(tensor=tensor, map=shape, flat=True)


def _layer(graph: Builder, node, value, weight, bias, shape, *, flat=False, stride=1, padding=0):
    """A convolution, binary where its weights are, and the BatchNorm of its scales."""
    source = graph.tensor(value)
    factor, offset = _absorb(graph, node, bias, shape)
    factor = np.ones(len(weight)) if factor is None else factor
    weight = weight.astype(np.float32)
    found = "the first layer reads pixels" if source == IMAGE else signs(weight)
    binary = not isinstance(found, str)
    bits = None
    if isinstance(found, str):
        if (kept := quantised(node, weight)) is not None:
            weight, scale, bits = kept
            factor = factor * scale
        if source != IMAGE:
            graph.real[node.name] = found
    else:
        weight, scale = found
        factor = factor * scale
    conv = Conv(
        name=node.name,
        source=source,
        weight=weight,
        binary=binary,
        padding=padding,
        stride=stride,
        weight_bits=bits,
    )
    return Value(
        tensor=_norm(graph, f"{node.name}.bn", graph.put(conv), factor, offset),
        map=shape,
        flat=flat,
    )


def _norm(graph: Builder, name: str, source: str, factor: np.ndarray, offset: np.ndarray) -> str:
    """``factor * x + offset`` as a BatchNorm."""
    zeros, ones = np.zeros(len(factor), np.float32), np.ones(len(factor), np.float32)
    return graph.put(
        BatchNorm(
            name=name,
            source=source,
            weight=factor.astype(np.float32),
            bias=offset.astype(np.float32),
            mean=zeros,
            var=ones,
            eps=0.0,
        ),
        own=False,
    )


def _absorb(graph: Builder, node: NIRNode, bias: np.ndarray, shape):
    """Factor and offset per channel of ``node`` and of what alone follows to scale it."""
    factor, name = None, node.name
    while shape is not None and len(graph.structure.readers[name]) == 1:
        after = graph.structure.nodes[graph.structure.readers[name][0]]
        if len(graph.structure.sources[after.name]) != 1:
            break
        if after.kind != "Scale":
            break
        try:
            gain = per_channel(after.fields["scale"], shape)
        except UnreadableError:
            break  # told when its turn comes
        if gain.shape[1:] != (1, 1):
            break
        gain = gain.ravel()
        factor = gain if factor is None else gain * factor
        bias = gain * bias
        name = after.name
        graph.absorbed.append(name)
    return factor, bias
