"""Keys and sizes of Q-SNN state dicts: aliases, layouts, and the check of all of them."""

import re

import numpy as np

from sw.families.qsnn.config import KERNELS

BN = ("weight", "bias", "running_mean", "running_var")
BLOCK = re.compile(r"layer(\d+)\.(\d+)\.")
_FEATURE = re.compile(r"features\.(\d+)\.")
_CONV_ALIAS = re.compile(r"(conv\d+)_s\.layer\.module\.")
_BN_ALIAS = re.compile(r"conv(\d+)_s\.bn\.bn\.")


def canonical(key: str) -> str:
    """The one name of a tensor the authors' modules hold under several."""
    key = key.replace(".seqbn.module.", ".bn.")
    return _BN_ALIAS.sub(r"bn\1.bn.", _CONV_ALIAS.sub(r"\1.", key))


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


class Shapes:
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

    def misshaped(self) -> dict[str, tuple[int, ...]]:
        """Wanted shape of each tensor that has another one."""
        found = self.wanted.items()
        return {k: v for k, v in found if k in self.state and self.state[k].shape != v}

    def faults(self) -> list[str]:
        """Faults beside those of names and shapes."""
        empty = [f"{k} is empty: {v.shape}" for k, v in self.state.items() if not v.size]
        return empty + self.wrong

    def sizes(self) -> dict:
        """Sizes told by the file, as JSON types."""
        raise NotImplementedError


class Residual(Shapes):
    """A stem, stages of basic blocks, and a head."""

    head = "fc.ops"

    def __init__(self, state: dict[str, np.ndarray]):
        super().__init__(state)
        found = {(int(m[1]), int(m[2])) for key in state if (m := BLOCK.match(key))}
        most = len(state)  # a wild number in a key must not cost an endless list
        stages = min(max(stage for stage, _ in found), most)
        self.blocks = [
            min(1 + max((m for s, m in found if s == stage), default=0), most)
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
        match = BLOCK.match(f"{stem}.")
        assert match
        return 2 if int(match[1]) > 1 and int(match[2]) == 0 else 1

    def sizes(self) -> dict:
        return {
            "variant": "resnet",
            "stem": f"{self.kernel}x{self.kernel} to {self.stem}",
            "blocks": list(self.blocks),
            "widths": list(self.widths),
        }


class Vgg(Shapes):
    """Convolutions in a row, a pool in every gap of their numbers, and a head."""

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
        self.kernel = self.side(first, 2, 3)
        if self.kernel not in KERNELS:
            self.wrong.append(f"{first} is {self.kernel}x{self.kernel}, wanted 1x1 or 3x3")
        self.widths = []
        for i in self.indices:
            stem = f"features.{i}.fwd.module"
            out = self.side(f"{stem}.0.weight", 0, self.side(f"{stem}.1.weight", 0, width))
            self.conv(f"{stem}.0", f"{stem}.1", out, width, self.kernel, self.kernel)
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
