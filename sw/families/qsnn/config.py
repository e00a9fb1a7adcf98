"""Sizes and modes of a Q-SNN: everything that fixes its state dict and its arithmetic."""

import math
from dataclasses import dataclass
from typing import Any

from hw.common.errors import SpikeloomError
from sw.families.fields import own_fields, per_channel

NETS = ("resnet", "vgg")
KERNELS = (1, 3)  #: Of VGG convolutions.
STEMS = (3, 7)  #: Kernel of a residual net's first convolution; 7 has stride 2 and a max-pool.
DOWNSAMPLINGS = ("pool", "stride")  #: Of VGG nets: 2x2 average pools or strided convolutions.
MEMBRANE_BITS = (2, 4, 8)
RATE_WEIGHT = 5e-3  #: lambda_f: share of the spike-rate loss in the loss.


def _refuse(field: str, got: object, wanted: str, cure: str) -> None:
    raise SpikeloomError(f"Q-SNN configuration: {field} is {got!r}, wanted {wanted}; {cure}")


def _whole(got: object, least: int = 1) -> bool:
    return isinstance(got, int) and not isinstance(got, bool) and got >= least


@dataclass(frozen=True, kw_only=True)
class QsnnConfig:
    """Configuration of a Q-SNN; `to_json` and `from_json` are its JSON form.

    Raises
    ------
    SpikeloomError
        If a value is out of range or two values do not fit together.
    """

    net: str = "resnet"  #: One of `NETS`.
    widths: tuple[int, ...] = (16, 32, 64)  #: Channels of each stage, or each VGG convolution.
    blocks: tuple[int, ...] = (1, 1, 1)  #: Basic blocks of each stage; residual nets only.
    kernel: int = 3  #: One of `KERNELS`, of all convolutions; VGG nets only.
    stem: int = 3  #: One of `STEMS`; residual nets only. Its width is the first of ``widths``.
    halve: tuple[int, ...] = ()  #: VGG convolutions, from 1 on, that read half the size.
    downsampling: str = "pool"  #: One of `DOWNSAMPLINGS`; how VGG nets halve.
    membrane_bits: int = 8  #: One of `MEMBRANE_BITS`.
    alpha: float | None = 1.0  #: Scale of stored membranes; None is the batch's maximum.
    height: int = 16  #: Image height in pixels.
    width: int = 16  #: Image width in pixels.
    channels: int = 1  #: Image channels.
    classes: int = 10
    steps: int = 2  #: T; of a stream the frames of the longest sequence.
    stream: bool = False  #: Trained on sequences of any length, with an answer for each frame.
    mean: tuple[float, ...] = (0.0,)  #: Per image channel: x = (pixel / 255 - mean) / std.
    std: tuple[float, ...] = (1.0,)  #: Per image channel, above 0.
    regulated: bool = True  #: Weights standardised before their sign; False: for comparison only.

    def __post_init__(self):
        for field, choices in (
            ("net", NETS),
            ("kernel", KERNELS),
            ("stem", STEMS),
            ("downsampling", DOWNSAMPLINGS),
            ("membrane_bits", MEMBRANE_BITS),
        ):
            got = getattr(self, field)
            if got not in choices or isinstance(got, bool):
                _refuse(field, got, f"one of {', '.join(map(str, choices))}", "choose one of them")
        for field in ("height", "width", "channels", "steps"):
            if not _whole(got := getattr(self, field)):
                _refuse(field, got, "a whole number, 1 or more", "correct it")
        if not _whole(self.classes, 2):
            _refuse("classes", self.classes, "a whole number, 2 or more", "correct it")
        for field in ("regulated", "stream"):
            if not isinstance(got := getattr(self, field), bool):
                _refuse(field, got, "True or False", "correct it")
        for field in ("widths", "blocks", "halve"):
            got = getattr(self, field)
            if not isinstance(got, list | tuple) or not all(map(_whole, got)):
                _refuse(field, got, "whole numbers, 1 or more", "correct it")
            object.__setattr__(self, field, tuple(got))
        if not self.widths:
            _refuse("widths", self.widths, "one or more numbers", "give one for each stage")
        if self.net == "resnet" and len(self.blocks) != len(self.widths):
            _refuse(
                "blocks",
                self.blocks,
                f"{len(self.widths)} numbers, as many as widths",
                "give one for each stage",
            )
        if self.net == "vgg":
            object.__setattr__(self, "blocks", ())
            if any(n >= len(self.widths) for n in self.halve):
                _refuse(
                    "halve",
                    self.halve,
                    f"numbers of convolutions, 1 to {len(self.widths) - 1}",
                    "leave the others out",
                )
        if self.alpha is not None and not (
            isinstance(self.alpha, int | float)
            and not isinstance(self.alpha, bool)
            and 0 < self.alpha < math.inf
        ):
            _refuse("alpha", self.alpha, "a number above 0, or None", "use 1")
        for field in ("mean", "std"):
            values = per_channel(field, getattr(self, field), self.channels, _refuse)
            object.__setattr__(self, field, values)
        if min(self.grid) < 1:
            _refuse(
                "height and width",
                (self.height, self.width),
                "images that leave a pixel",
                "use larger images or halve less often",
            )

    @classmethod
    def resnet19(cls, **changes: Any) -> "QsnnConfig":
        """Published ResNet-19 for 32x32 colour images, T 2; ``changes`` are other fields."""
        fields = {
            "widths": (128, 256, 512),
            "blocks": (3, 3, 2),
            "stem": 3,
            "height": 32,
            "width": 32,
            "channels": 3,
        }
        return cls(**{**fields, **changes})

    @classmethod
    def resnet18(cls, **changes: Any) -> "QsnnConfig":
        """ResNet-18 for 224x224 colour images; ``changes`` are other fields."""
        fields = {
            "widths": (64, 128, 256, 512),
            "blocks": (2, 2, 2, 2),
            "stem": 7,
            "height": 224,
            "width": 224,
            "channels": 3,
        }
        return cls(**{**fields, **changes})

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each convolution of a VGG net."""
        halved = self.halve if self.downsampling == "stride" else ()
        return tuple(2 if n in halved else 1 for n in range(len(self.widths)))

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the last spikes."""

        def side(n: int) -> int:
            if self.net == "resnet":
                halvings = len(self.widths) - 1 + (2 if self.stem == 7 else 0)
                return math.ceil(n / 2**halvings)
            for _ in self.halve:
                n = n // 2 if self.downsampling == "pool" else -(-n // 2)
            return n

        return side(self.height), side(self.width)

    @property
    def no_hardware(self) -> str | None:
        """Why hardware is not made for such a network, or None."""
        if not self.regulated:
            return (
                "Only networks of standardised weights become hardware; leave out "
                "--no-regulated, or give --rounded 0"
            )
        if self.alpha is None:
            return (
                "The scale of stored membranes is the batch's maximum, which no chip knows; train "
                "with --alpha 1, or give --rounded 0"
            )
        return None

    def to_json(self) -> dict[str, Any]:
        """JSON fields of a checkpoint's configuration file; ``sw.load`` reads them too."""
        fields = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        alpha = {"membrane_alpha": "batch" if self.alpha is None else self.alpha}
        strides = {"strides": list(self.strides)} if self.net == "vgg" else {}
        return {"model": "qsnn", **fields, **alpha, **strides}

    @classmethod
    def from_json(cls, fields: dict[str, Any], where: str = "configuration") -> "QsnnConfig":
        """Configuration of a checkpoint's JSON fields; fields of other meaning are ignored.

        Parameters
        ----------
        fields : dict
            As `to_json` makes them.
        where : str
            Name of the source in messages.
        """
        return cls(**own_fields(cls, fields, "qsnn", where, ("regulated", "kernel", "stream")))
