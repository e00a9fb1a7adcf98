"""Q-SNN state dicts under the authors' names, residual and VGG nets, to the float graph."""

import pathlib
import re

import numpy as np

from hw.arch.errors import SpikeloomError
from hw.arch.formats import MAX_STEPS
from sw.frontend.settings import Settings, per_channel
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
OPTIONS = ("steps", "membrane_bits", "alpha", "strides", "mean", "std", "image_size")
EDGE_BITS = 8  #: Weights of the first and the last layer.
MEMBRANE_BITS = (2, 4, 8)
BN = ("weight", "bias", "running_mean", "running_var")
_BLOCK = re.compile(r"layer(\d+)\.(\d+)\.")
_FEATURE = re.compile(r"features\.(\d+)\.")
_CONV_ALIAS = re.compile(r"(conv\d+)_s\.layer\.module\.")
_BN_ALIAS = re.compile(r"conv(\d+)_s\.bn\.bn\.")
_NORMALISATIONS = {
    1: "MNIST mean=0.1307, std=0.3081",
    3: "CIFAR-10 mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.201); ImageNet "
    "mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)",
}


def canonical(key: str) -> str:
    """The one name of a tensor the authors' modules hold under several."""
    key = key.replace(".seqbn.module.", ".bn.")
    return _BN_ALIAS.sub(r"bn\1.bn.", _CONV_ALIAS.sub(r"\1.", key))


def recognises(state: dict[str, np.ndarray]) -> bool:
    """Whether the names are Q-SNN's."""
    return any(_BLOCK.match(key) or re.match(r"features\.\d+\.fwd\.", key) for key in state)


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
    residual = any(_BLOCK.match(key) for key in state)
    shapes = _Residual(state) if residual else _Vgg(state)
    faults += shapes.faults()
    if faults:
        raise SpikeloomError(
            f"{path}: not a complete {FAMILY} state dict: {'; '.join(faults)}; "
            "save the whole model.state_dict() again"
        )
    _check_values(path, state, shapes)
    _ask(path, settings, shapes)
    steps, bits = settings.steps, settings.membrane_bits
    assert steps is not None
    assert bits is not None
    mean = per_channel(path, "mean", settings.mean, 0.0, shapes.channels)
    std = per_channel(path, "std", settings.std, 1.0, shapes.channels)
    if min(std) <= 0:
        raise SpikeloomError(f"{path}: std must be above 0, not {std}")
    graph = _Graph(state, bits)
    if isinstance(shapes, _Residual):
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
        size=settings.image_size,
        meta={**meta, **shapes.sizes(), "membrane_bits": bits},
    )
    return net if settings.alpha is None else net.with_alpha(settings.alpha)


def unify(state: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Each tensor once, under its canonical name, and the aliases that differ."""
    one: dict[str, np.ndarray] = {}
    first: dict[str, str] = {}
    faults = []
    for key, value in state.items():
        target = canonical(key)
        if target not in one:
            one[target], first[target] = value, key
        elif not np.array_equal(one[target], value):
            faults.append(f"{key} differs from {first[target]}, the same tensor under another name")
    return one, faults


class _Shapes:
    """Sizes of a state dict and the check of all its keys and shapes."""

    head: str  #: Stem of the last linear layer.
    channels: int
    classes: int

    def __init__(self, state: dict[str, np.ndarray]):
        self.state = state
        self.wanted: dict[str, tuple[int, ...]] = {}
        self.wrong: list[str] = []

    def side(self, key: str, axis: int, default: int) -> int:
        tensor = self.state.get(key)
        return tensor.shape[axis] if tensor is not None and tensor.ndim > axis else default

    def conv(self, conv: str, bn: str, *shape: int) -> None:
        self.wanted[f"{conv}.weight"] = shape
        self.wanted.update({f"{bn}.{part}": shape[:1] for part in BN})

    def faults(self) -> list[str]:
        """Missing, unexpected and mis-shaped keys, all of them."""
        want, state = self.wanted, self.state
        faults = [f"missing {k}, wanted {want[k]}" for k in want if k not in state]
        faults += [f"unexpected {k} {state[k].shape}" for k in state if k not in want]
        faults += [
            f"{k} is {state[k].shape}, wanted {shape}"
            for k, shape in want.items()
            if k in state and state[k].shape != shape
        ]
        faults += [f"{k} is empty: {value.shape}" for k, value in state.items() if not value.size]
        return faults + self.wrong

    def sizes(self) -> dict:
        """Sizes told by the file, as JSON types."""
        raise NotImplementedError


class _Residual(_Shapes):
    head = "fc.ops"

    def __init__(self, state: dict[str, np.ndarray]):
        super().__init__(state)
        found = {(int(m[1]), int(m[2])) for key in state if (m := _BLOCK.match(key))}
        stages = max(stage for stage, _ in found)
        self.blocks = [
            1 + max((m for s, m in found if s == stage), default=0)
            for stage in range(1, stages + 1)
        ]
        self.kernel = self.side("conv1.weight", 2, 3)
        if self.kernel not in (3, 7):
            self.wrong.append(f"conv1.weight is {self.kernel}x{self.kernel}, wanted 3x3 or 7x7")
        self.channels = self.side("conv1.weight", 1, 1)
        width = self.stem = self.side("conv1.weight", 0, 64)
        self.conv("conv1", "bn1.bn", width, self.channels, self.kernel, self.kernel)
        self.widths = []
        self.projected: dict[str, bool] = {}
        for stage, blocks in enumerate(self.blocks, 1):
            for block in range(blocks):
                stem = f"layer{stage}.{block}"
                out = self.side(f"{stem}.conv1.weight", 0, width)
                self.conv(f"{stem}.conv1", f"{stem}.bn1.bn", out, width, 3, 3)
                self.conv(f"{stem}.conv2", f"{stem}.bn2.bn", out, out, 3, 3)
                held = block == 0 and any(k.startswith(f"{stem}.downsample.") for k in state)
                self.projected[stem] = held or self.stride(stem) == 2 or out != width
                if self.projected[stem]:
                    shortcut = f"{stem}.downsample"
                    self.conv(f"{shortcut}.layer.module", f"{shortcut}.bn.bn", out, width, 1, 1)
                width = out
            self.widths.append(width)
        self.classes = self.side("fc.ops.weight", 0, self.side("fc.ops.bias", 0, 10))
        self.wanted |= {"fc.ops.weight": (self.classes, width), "fc.ops.bias": (self.classes,)}

    def stride(self, stem: str) -> int:
        """2 in the first block of every stage but the first."""
        match = _BLOCK.match(f"{stem}.")
        assert match
        return 2 if int(match[1]) > 1 and int(match[2]) == 0 else 1

    def sizes(self) -> dict:
        return {
            "variant": "resnet",
            "stem": f"{self.kernel}x{self.kernel} to {self.stem}",
            "blocks": list(self.blocks),
            "widths": list(self.widths),
        }


class _Vgg(_Shapes):
    head = "classifier.module"

    def __init__(self, state: dict[str, np.ndarray]):
        super().__init__(state)
        found = {int(m[1]) for key in state if (m := _FEATURE.match(key))}
        self.indices = sorted(found | {0})
        for before, after in zip(self.indices, self.indices[1:], strict=False):
            if after - before > 2:
                self.wrong.append(f"nothing under features.{before + 1} to features.{after - 1}")
        self.pooled = [i > 0 and i - 1 not in self.indices for i in self.indices]
        first = f"features.{self.indices[0]}.fwd.module.0.weight"
        self.channels = width = self.side(first, 1, 3)
        self.widths = []
        for i in self.indices:
            stem = f"features.{i}.fwd.module"
            out = self.side(f"{stem}.0.weight", 0, self.side(f"{stem}.1.weight", 0, width))
            self.conv(f"{stem}.0", f"{stem}.1", out, width, 3, 3)
            if i:
                self.wanted[f"{stem}.0.bias"] = (out,)
            width = out
            self.widths.append(out)
        head = f"{self.head}.weight"
        self.classes = self.side(head, 0, self.side(f"{self.head}.bias", 0, 10))
        self.features = self.side(head, 1, width)
        if width and self.features % width:
            self.wrong.append(
                f"{head} reads {self.features} values, which are no whole number of pixels of "
                f"{width} channels"
            )
        self.wanted |= {head: (self.classes, self.features), f"{self.head}.bias": (self.classes,)}

    def sizes(self) -> dict:
        return {
            "variant": "vgg",
            "widths": list(self.widths),
            "average_pools": sum(self.pooled),
            "last_pixels": self.features // self.widths[-1],
        }


def _check_values(path: pathlib.Path, state: dict[str, np.ndarray], shapes: _Shapes) -> None:
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
                    f"{key}: all weights of output channel {', '.join(map(str, same))} are equal "
                    "and have no sign"
                )
    if faults:
        raise SpikeloomError(f"{path}: {'; '.join(faults)}; train the network again")


def _ask(path: pathlib.Path, settings: Settings, shapes: _Shapes) -> None:
    """Refuse settings that nothing tells, all at once, with what they may be."""
    wanted = []
    if settings.steps is None:
        wanted.append("steps= (time steps T; published nets have 2, 4 or 6, event data 10)")
    elif settings.steps > MAX_STEPS:
        raise SpikeloomError(
            f"{path}: steps is {settings.steps}, wanted 1 to {MAX_STEPS}; give fewer steps"
        )
    if settings.membrane_bits is None:
        wanted.append("membrane_bits= (2, 4 or 8)")
    if settings.mean is None or settings.std is None:
        some = _NORMALISATIONS.get(shapes.channels)
        wanted += [
            f"{what}= (of pixels scaled to 0..1; mean=0, std=1 if none was done"
            f"{f'; {some}' if some else ''})"
            for what in ("mean", "std")
            if getattr(settings, what) is None
        ]
    if isinstance(shapes, _Vgg):
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


def _residual(graph: _Graph, shapes: _Residual) -> None:
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


def _vgg(graph: _Graph, shapes: _Vgg, strides: tuple[int, ...] | None) -> None:
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
