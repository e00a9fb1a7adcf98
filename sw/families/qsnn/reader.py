"""Q-SNN state dicts under the authors' names, residual and VGG nets, to the float graph."""

import pathlib
import re
from typing import Any

import numpy as np

from hw.arch.formats import MAX_STEPS
from hw.common.errors import SpikeloomError
from sw.families.qsnn.keys import BLOCK, BN, Residual, Shapes, Vgg, unify
from sw.families.reasons import some, why
from sw.families.settings import Settings, missing_normalisation, per_channel, told_states
from sw.graph import (
    IMAGE,
    LIF,
    Add,
    AveragePool,
    BatchNorm,
    Conv,
    Flatten,
    FloatNetwork,
    Linear,
    MaxPool,
    MeanSteps,
    MeanTokens,
    power_of_two,
)

FAMILY = "Q-SNN"
SETTINGS = ("steps", "membrane_bits", "alpha", "strides", "mean", "std", "image_size")
EDGE_BITS = 8  #: Weights of the first and the last layer.


def recognises(state: dict[str, np.ndarray]) -> bool:
    """Whether the names are Q-SNN's."""
    return any(BLOCK.match(key) or re.match(r"features\.\d+\.fwd\.", key) for key in state)


def read(
    path: pathlib.Path,
    state: dict[str, np.ndarray],
    settings: Settings,
    *,
    name: str,
    meta: dict,
) -> FloatNetwork:
    """Float graph of a state dict; every key and shape is checked first."""
    state, faults = unify(state)
    residual = any(BLOCK.match(key) for key in state)
    shapes = Residual(state) if residual else Vgg(state)
    faults += shapes.faults()
    wrong = shapes.misshaped()
    if faults or wrong or state.keys() != shapes.wanted.keys():
        raise SpikeloomError(why(path, FAMILY, shapes.wanted, state, wrong, faults))
    _check_values(path, state, shapes)
    _ask(path, settings, shapes)
    steps, bits = settings.steps, settings.membrane_bits
    assert steps is not None
    assert bits is not None
    mean = per_channel(path, "mean", settings.mean, 0.0, shapes.channels)
    std = per_channel(path, "std", settings.std, 1.0, shapes.channels)
    graph = _Graph(state, bits)
    if isinstance(shapes, Residual):
        _residual(graph, shapes)
    else:
        _vgg(graph, shapes, settings.strides)
    net = FloatNetwork(
        name=name,
        nodes=tuple(graph.nodes),
        steps=steps,
        channels=shapes.channels,
        classes=shapes.classes,
        mean=mean,
        std=std,
        stream=bool(settings.stream),
        size=settings.image_size,
        meta={**meta, **shapes.sizes(), "membrane_bits": bits},
    )
    return net if settings.alpha is None else net.with_alpha(settings.alpha)


def told(net: FloatNetwork) -> dict[str, Any]:
    """What ``sw.load`` must be told of stored membranes and strides."""
    fields = told_states(net)
    if net.meta.get("variant") == "vgg":
        fields["strides"] = [node.stride for node in net.nodes if isinstance(node, Conv)]
    return fields


def _check_values(path: pathlib.Path, state: dict[str, np.ndarray], shapes: Shapes) -> None:
    """Refuse weights that have no sign or no scale, and negative variances."""
    faults = []
    heads = [f"{shapes.head}.weight", next(iter(shapes.wanted))]
    for key, value in state.items():
        if key.endswith(".running_var") and (value < 0).any():
            faults.append(f"{key} holds a negative variance")
        if key in heads:
            if value.max() == 0:
                faults.append(f"{key}: the largest weight is 0 and gives no 8-bit scale")
        elif value.ndim == 4:
            flat = value.reshape(len(value), -1)
            same = np.flatnonzero((flat == flat[:, :1]).all(axis=1)).tolist()
            if same:
                faults.append(
                    f"{key}: all weights of output channel {some(list(map(str, same)))} are equal "
                    "and have no sign"
                )
    if faults:
        raise SpikeloomError(f"{path}: {'; '.join(faults[:8])}; train the network again")


def _ask(path: pathlib.Path, settings: Settings, shapes: Shapes) -> None:
    """Refuse settings that nothing tells, all at once, with what they may be."""
    wanted = []
    if settings.steps is None:
        wanted.append("steps= (time steps T; published nets have 2, 4 or 6, event data 10)")
    elif settings.steps > MAX_STEPS and not settings.stream:
        raise SpikeloomError(
            f"{path}: steps is {settings.steps}, wanted 1 to {MAX_STEPS}; give fewer steps"
        )
    if settings.membrane_bits is None:
        wanted.append("membrane_bits= (2, 4 or 8)")
    wanted += missing_normalisation(settings, shapes.channels)
    if isinstance(shapes, Vgg):
        layers = len(shapes.indices)
        strides = settings.strides
        if strides is not None and len(strides) != layers:
            raise SpikeloomError(
                f"{path}: strides has {len(strides)} values, the network {layers} convolutions; "
                "give one stride, 1 or 2, for each"
            )
        if strides is None and not any(shapes.pooled):
            usual = ", ".join(str(1 + i % 2) for i in range(layers))
            plain = ", ".join("1" for _ in range(layers))
            wanted.append(
                f"strides= (one for each of {layers} convolutions: ({usual}) where every second "
                f"one halves the image, ({plain}) where none does)"
            )
    elif settings.strides is not None:
        raise SpikeloomError(
            f"{path}: strides is for VGG nets, a residual net has fixed ones; leave strides out"
        )
    if wanted:
        raise SpikeloomError(
            f"{path}: neither the file nor a JSON file beside it tells what the network needs; "
            f"give {'; '.join(wanted)}"
        )


class _Graph:
    """Nodes in order of execution, with the family's layers as shorthands."""

    def __init__(self, state: dict[str, np.ndarray], membrane_bits: int):
        self.state, self.membrane_bits = state, membrane_bits
        self.nodes: list = []

    def put(self, node) -> str:
        self.nodes.append(node)
        return node.name

    def conv_bn(self, conv: str, bn: str, source: str, *, stride: int = 1) -> str:
        """Convolution with 'same' padding, 8-bit on the image and binary elsewhere."""
        weight = self.state[f"{conv}.weight"]
        binary = source != IMAGE
        self.put(
            Conv(
                name=conv,
                source=source,
                weight=weight,
                binary=binary,
                padding=weight.shape[2] // 2,
                stride=stride,
                scale=power_of_two(weight) if binary else None,
                bias=self.state.get(f"{conv}.bias"),
                weight_bits=None if binary else EDGE_BITS,
            )
        )
        w, b, m, v = (self.state[f"{bn}.{part}"] for part in BN)
        return self.put(BatchNorm(name=bn, source=conv, weight=w, bias=b, mean=m, var=v))

    def lif(self, name: str, source: str) -> str:
        """A neuron whose input does not decay and whose state is quantised."""
        return self.put(
            LIF(
                name=name,
                source=source,
                decay_input=False,
                strict=True,
                state_bits=self.membrane_bits,
            )
        )

    def head(self, name: str, source: str) -> None:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        self.put(Linear(name=name, source=source, weight=weight, bias=bias, weight_bits=EDGE_BITS))
        self.put(MeanSteps(name="logits", source=name))


def _residual(graph: _Graph, shapes: Residual) -> None:
    wide = shapes.kernel == 7
    x = graph.conv_bn("conv1", "bn1.bn", IMAGE, stride=2 if wide else 1)
    x = graph.lif("lif1", x)
    if wide:
        x = graph.put(MaxPool(name="maxpool", source=x))
    for stem, projected in shapes.projected.items():
        stride = shapes.stride(stem)
        s = graph.conv_bn(f"{stem}.conv1", f"{stem}.bn1.bn", x, stride=stride)
        s = graph.lif(f"{stem}.lif1", s)
        branch = graph.conv_bn(f"{stem}.conv2", f"{stem}.bn2.bn", s)
        if projected:
            shortcut = f"{stem}.downsample"
            x = graph.conv_bn(f"{shortcut}.layer.module", f"{shortcut}.bn.bn", x, stride=stride)
        x = graph.put(Add(name=f"{stem}.sum", branch=branch, stream=x))
        x = graph.lif(f"{stem}.lif2", x)
    x = graph.put(MeanTokens(name="avgpool", source=x, over_steps=False))
    graph.head("fc.ops", x)


def _vgg(graph: _Graph, shapes: Vgg, strides: tuple[int, ...] | None) -> None:
    strides = strides or (1,) * len(shapes.indices)
    x = IMAGE
    for i, pooled, stride in zip(shapes.indices, shapes.pooled, strides, strict=True):
        if pooled:
            x = graph.put(AveragePool(name=f"features.{i - 1}", source=x))
        stem = f"features.{i}"
        x = graph.conv_bn(f"{stem}.fwd.module.0", f"{stem}.fwd.module.1", x, stride=stride)
        x = graph.lif(f"{stem}.act", x)
    x = graph.put(Flatten(name="flatten", source=x))
    graph.head("classifier.module", x)
