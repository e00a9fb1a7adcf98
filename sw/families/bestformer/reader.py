"""BESTformer state dicts under the authors' names, both variants, to the float graph."""

import pathlib
import re
from typing import Any

import numpy as np

from hw.arch.formats import MAX_STEPS
from hw.common.errors import SpikeloomError
from sw.families.reasons import some, why
from sw.families.settings import Settings, missing_normalisation, per_channel
from sw.graph import (
    IMAGE,
    LIF,
    Add,
    Apply,
    Average,
    BatchNorm,
    Conv,
    FloatNetwork,
    HeadAverage,
    Linear,
    MaxPool,
    MeanTokens,
    Scale,
    Similarity,
)

FAMILY = "BESTformer"
SETTINGS = (
    "heads",
    "steps",
    "attention",
    "similarity",
    "map_theta",
    "mean",
    "std",
    "image_size",
)
#: Stems of the five tokenizer stages, and the stages with a pool before their convolution.
VARIANTS = {
    "cifar": (tuple(f"patch_embed.block{i}" for i in range(5)), (3, 4)),
    "imagenet": (
        ("patch_embed.proj", *(f"patch_embed.proj{i}" for i in range(1, 5))),
        (1, 2, 3, 4),
    ),
}
ATTENTION_SCALE = 0.125
BN = ("weight", "bias", "running_mean", "running_var")


def recognises(state: dict[str, np.ndarray]) -> bool:
    """Whether the names are BESTformer's."""
    return _variant(state) is not None


def _variant(state: dict[str, np.ndarray]) -> str | None:
    """The variant most of whose tokenizer names are there."""
    hits = {v: sum(_stem(k) in stems for k in state) for v, (stems, _) in VARIANTS.items()}
    best = max(hits, key=lambda v: hits[v])
    return best if hits[best] else None


def _stem(key: str) -> str:
    return re.sub(r"_(conv|bn)\.\w+$", "", key)


def read(
    path: pathlib.Path,
    state: dict[str, np.ndarray],
    settings: Settings,
    *,
    name: str,
    meta: dict,
) -> FloatNetwork:
    """Float graph of a state dict; every key and shape is checked first."""
    variant = _variant(state) or "cifar"
    stems, pooled = VARIANTS[variant]
    depth = 1 + max((int(m[1]) for k in state if (m := re.match(r"block\.(\d+)\.", k))), default=0)
    depth = min(depth, len(state))  # a wild number in a key must not cost an endless list
    shapes = _Shapes(path, state, stems, depth, settings)
    shapes.check()
    steps, heads, dim = shapes.steps, shapes.heads, shapes.dim
    order = settings.attention or ("qk" if variant == "cifar" else "kv")
    similarity = settings.similarity or "and"
    if (order, similarity) == ("kv", "xnor"):
        raise SpikeloomError(
            f"{path}: xnor similarity needs attention order 'qk', not 'kv'; "
            "give similarity='and' or attention='qk'"
        )
    theta = settings.map_theta
    if theta is None:
        theta = 1.0 if similarity == "and" else dim / heads / 2 + 1
    if wanted := missing_normalisation(settings, shapes.channels):
        raise SpikeloomError(
            f"{path}: neither the file nor a JSON file beside it tells what the network needs; "
            f"give {'; '.join(wanted)}"
        )
    mean = per_channel(path, "mean", settings.mean, 0.0, shapes.channels)
    std = per_channel(path, "std", settings.std, 1.0, shapes.channels)

    nodes: list = []

    def put(node) -> str:
        nodes.append(node)
        return node.name

    def conv_bn(stem: str, source: str, *, binary: bool = True, padding: int = 0) -> str:
        weight = state[f"{stem}_conv.weight"]
        weight = weight.reshape(*weight.shape, *[1] * (4 - weight.ndim))
        put(Conv(name=f"{stem}_conv", source=source, weight=weight, binary=binary, padding=padding))
        w, b, m, v = (state[f"{stem}_bn.{part}"] for part in BN)
        return put(
            BatchNorm(name=f"{stem}_bn", source=f"{stem}_conv", weight=w, bias=b, mean=m, var=v)
        )

    x = conv_bn(stems[0], IMAGE, binary=False, padding=1)
    for i, stem in enumerate(stems[1:], 1):
        x = put(LIF(name=f"{stem}_lif", source=x))
        if i in pooled:
            x = put(MaxPool(name=f"{stem}_pool", source=x))
        x = conv_bn(stem, x, padding=1)

    older, newer = "", x
    for n in range(depth):
        attn, mlp = f"block.{n}.attn", f"block.{n}.mlp"
        stream = newer
        if older:
            stream = put(Average(name=f"block.{n}.x01", older=older, newer=newer))
        s = put(LIF(name=f"{attn}.proj_lif", source=newer))
        q, k, v = (
            put(LIF(name=f"{attn}.{c}_lif", source=conv_bn(f"{attn}.{c}", s))) for c in "qkv"
        )
        left, right, operand = (q, k, v) if order == "qk" else (k, v, q)
        put(
            Similarity(
                name=f"{attn}.map",
                left=left,
                right=right,
                heads=heads,
                order=order,
                similarity=similarity,
            )
        )
        put(LIF(name=f"{attn}.attn_lif0", source=f"{attn}.map", theta=theta, soft=True))
        put(
            Apply(
                name=f"{attn}.apply",
                map=f"{attn}.attn_lif0",
                source=operand,
                heads=heads,
                order=order,
            )
        )
        gain = state[f"{attn}.lambda_attn"].reshape(steps, heads)
        put(Scale(name=f"{attn}.scale", source=f"{attn}.apply", factor=ATTENTION_SCALE, gain=gain))
        o = put(LIF(name=f"{attn}.attn_lif", source=f"{attn}.scale", theta=0.5))
        x2 = put(Add(name=f"block.{n}.x2", branch=conv_bn(f"{attn}.proj", o), stream=stream))
        stream = put(Average(name=f"block.{n}.x12", older=newer, newer=x2))
        s = put(LIF(name=f"{mlp}.mlp1_lif", source=x2))
        s = put(LIF(name=f"{mlp}.mlp2_lif", source=conv_bn(f"{mlp}.mlp1", s)))
        x3 = put(Add(name=f"block.{n}.x3", branch=conv_bn(f"{mlp}.mlp2", s), stream=stream))
        older, newer = x2, x3

    for head, source in (("head", older), ("head2", newer)):
        mean_name = put(MeanTokens(name=f"{head}.mean", source=source))
        put(
            Linear(
                name=head,
                source=mean_name,
                weight=state[f"{head}.weight"],
                bias=state[f"{head}.bias"],
            )
        )
    put(HeadAverage(name="logits", sources=("head", "head2")))
    return FloatNetwork(
        name=name,
        nodes=tuple(nodes),
        steps=steps,
        channels=shapes.channels,
        classes=len(state["head.weight"]),
        mean=mean,
        std=std,
        size=settings.image_size,
        meta={**meta, "variant": variant, "attention": order, "similarity": similarity},
    )


def told(net: FloatNetwork) -> dict[str, Any]:
    """What ``sw.load`` must be told of the attention."""
    node = next(node for node in net.nodes if isinstance(node, Similarity))
    neuron = next(n for n in net.nodes if isinstance(n, LIF) and n.source == node.name)
    return {
        "attention": node.order,
        "similarity": node.similarity,
        "map_theta": neuron.theta,
    }


class _Shapes:
    """Sizes of a state dict and the check of all its keys and shapes."""

    def __init__(self, path, state, stems, depth, settings):
        self.path, self.state, self.stems, self.depth = path, state, stems, depth
        lam = next((v for k, v in sorted(state.items()) if k.endswith(".attn.lambda_attn")), None)
        lam = lam if lam is not None and lam.ndim == 5 else None
        self.steps = settings.steps or 1 if lam is None else lam.shape[0]
        self.heads = settings.heads or 1 if lam is None else lam.shape[2]
        self.channels = self._side(f"{stems[0]}_conv.weight", 1, 1)
        self.dim = self._side(f"{stems[4]}_conv.weight", 0, 0) or self._side("head.weight", 1, 8)
        self.classes = self._side("head.weight", 0, 0) or self._side("head2.weight", 0, 1)
        for what, option in (("steps", settings.steps), ("heads", settings.heads)):
            if lam is not None and option is not None and option != getattr(self, what):
                raise SpikeloomError(
                    f"{path}: lambda_attn of shape {lam.shape} tells {what} "
                    f"{getattr(self, what)}, not {option}; leave {what} out"
                )

    def _side(self, key: str, axis: int, default: int) -> int:
        tensor = self.state.get(key)
        return tensor.shape[axis] if tensor is not None and tensor.ndim > axis else default

    def expected(self) -> dict[str, tuple]:
        """Key -> shape."""
        d = self.dim
        want: dict[str, tuple] = {}

        def conv_bn(stem: str, *shape: int) -> None:
            want[f"{stem}_conv.weight"] = shape
            want.update({f"{stem}_bn.{part}": shape[:1] for part in BN})

        widths = (self.channels, d // 8, d // 4, d // 2, d, d)
        for stem, i, o in zip(self.stems, widths[:-1], widths[1:], strict=True):
            conv_bn(stem, o, i, 3, 3)
        for n in range(self.depth):
            attn, mlp = f"block.{n}.attn", f"block.{n}.mlp"
            want[f"{attn}.lambda_attn"] = (self.steps, 1, self.heads, 1, 1)
            for c in ("q", "k", "v", "proj"):
                conv_bn(f"{attn}.{c}", d, d, 1)
            hidden = self._side(f"{mlp}.mlp1_conv.weight", 0, d)
            conv_bn(f"{mlp}.mlp1", hidden, d, 1, 1)
            conv_bn(f"{mlp}.mlp2", d, hidden, 1, 1)
        for head in ("head", "head2"):
            want[f"{head}.weight"] = (self.classes, d)
            want[f"{head}.bias"] = (self.classes,)
        return want

    def check(self) -> None:
        """Raise one error that lists every fault."""
        want, state, faults = self.expected(), self.state, []
        wrong = {
            k: shape for k, shape in want.items() if k in state and not _same(state[k].shape, shape)
        }
        if self.dim % 8:
            faults.append(f"{self.dim} channels, wanted a multiple of 8")
        elif self.dim % self.heads:
            faults.append(f"{self.dim} channels do not divide into {self.heads} heads")
        if not 1 <= self.steps <= MAX_STEPS:
            faults.append(f"{self.steps} time steps, wanted 1 to {MAX_STEPS}")
        if faults or wrong or state.keys() != want.keys():
            raise SpikeloomError(why(self.path, FAMILY, want, state, wrong, faults))
        for key, value in state.items():
            if key.endswith(".running_var") and (value < 0).any():
                faults.append(f"{key} holds a negative variance")
            if key.endswith("_conv.weight") and key != f"{self.stems[0]}_conv.weight":
                flat = value.reshape(len(value), -1)
                same = np.flatnonzero((flat == flat[:, :1]).all(axis=1)).tolist()
                if same:
                    faults.append(
                        f"{key}: all weights of output channel "
                        f"{some(list(map(str, same)))} are equal and have no sign"
                    )
        if faults:
            raise SpikeloomError(f"{self.path}: {'; '.join(faults[:8])}; train the network again")


def _same(got: tuple, want: tuple) -> bool:
    """Equal shapes; 1x1 kernels may leave trailing ones out or carry more of them."""
    if got == want:
        return True
    bare = len(want) > 2 and all(side == 1 for side in want[2:])
    return bare and got[:2] == want[:2] and all(side == 1 for side in got[2:])
