"""Sizes and modes of a BESTformer: everything that fixes its state dict and its arithmetic."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from hw.common.errors import SpikeloomError
from sw.families.fields import own_fields, per_channel

VARIANTS = ("cifar", "imagenet")  #: Tokenizers; side / 4 and side / 16.
ATTENTIONS = ("qk", "kv")  #: Binary map of q k^T (N x N) or of k^T v (d x d).
SIMILARITIES = ("and", "xnor")  #: Common ones, or equal bits.
OPTIONAL = ("theta", "reversible", "binary")  #: Fields that older configuration files lack.


def _refuse(field: str, got: object, wanted: str, cure: str) -> None:
    raise SpikeloomError(f"BESTformer configuration: {field} is {got!r}, wanted {wanted}; {cure}")


@dataclass(frozen=True, kw_only=True)
class BestformerConfig:
    """Configuration of a BESTformer; `to_json` and `from_json` are its JSON form.

    Raises
    ------
    SpikeloomError
        If a value is out of range or two values do not fit together.
    """

    variant: str = "cifar"  #: Tokenizer, one of `VARIANTS`.
    attention: str = "qk"  #: One of `ATTENTIONS`.
    similarity: str = "and"  #: One of `SIMILARITIES`; 'xnor' goes with 'qk' only.
    theta: float | None = None  #: Threshold of the map's neuron, 'xnor' only; None is d / 2 + 1.
    height: int = 16  #: Image height in pixels, a multiple of `downscale`.
    width: int = 16  #: Image width in pixels, a multiple of `downscale`.
    channels: int = 1  #: Image channels.
    classes: int = 10
    embed_dim: int = 64  #: D, a multiple of 8 and of ``heads``.
    depth: int = 2  #: Encoder blocks.
    heads: int = 4  #: H.
    mlp_ratio: int = 4  #: Hidden width of the MLP in units of D.
    steps: int = 4  #: T.
    mean: tuple[float, ...] = (0.0,)  #: Per image channel: x = (pixel / 255 - mean) / std.
    std: tuple[float, ...] = (1.0,)  #: Per image channel, above 0.
    reversible: bool = True  #: Two coupled streams and two heads; False: one, for comparison only.
    binary: bool = True  #: 1-bit weights and map; False: the full-precision counterpart.

    def __post_init__(self):
        for field, choices in (
            ("variant", VARIANTS),
            ("attention", ATTENTIONS),
            ("similarity", SIMILARITIES),
        ):
            got = getattr(self, field)
            if got not in choices:
                _refuse(field, got, f"one of {', '.join(choices)}", "choose one of them")
        for field in (
            "height",
            "width",
            "channels",
            "embed_dim",
            "depth",
            "heads",
            "mlp_ratio",
            "steps",
        ):
            got = getattr(self, field)
            if isinstance(got, bool) or not isinstance(got, int) or got < 1:
                _refuse(field, got, "a whole number, 1 or more", "correct it")
        if isinstance(self.classes, bool) or not isinstance(self.classes, int) or self.classes < 2:
            _refuse("classes", self.classes, "a whole number, 2 or more", "correct it")
        for field in ("height", "width"):
            got, unit = getattr(self, field), self.downscale
            if got % unit:
                _refuse(
                    field,
                    got,
                    f"a multiple of {unit} ({self.variant} tokenizer)",
                    f"pad the image to {-(-got // unit) * unit} pixels",
                )
        unit = math.lcm(8, self.heads)
        if self.embed_dim % unit:
            _refuse(
                "embed_dim",
                self.embed_dim,
                f"a multiple of 8 and of heads = {self.heads}",
                f"use {-(-self.embed_dim // unit) * unit}",
            )
        if self.similarity == "xnor" and self.attention == "kv":
            _refuse(
                "similarity",
                "xnor",
                "'and' where attention is 'kv'",
                "XNOR similarity compares q with k: use attention 'qk'",
            )
        if self.similarity == "xnor":
            theta = self.head_dim / 2 + 1 if self.theta is None else self.theta
            if isinstance(theta, bool) or not (
                isinstance(theta, int | float) and math.isfinite(theta) and theta > 0
            ):
                _refuse("theta", theta, "a finite number above 0", "leave it out for d / 2 + 1")
            object.__setattr__(self, "theta", float(theta))
        elif self.theta is not None:
            _refuse(
                "theta",
                self.theta,
                "none where similarity is 'and' (it is 1 there)",
                "leave it out, or use similarity 'xnor'",
            )
        for field in ("reversible", "binary"):
            if not isinstance(got := getattr(self, field), bool):
                _refuse(field, got, "True or False", "correct it")
        for field in ("mean", "std"):
            values = per_channel(field, getattr(self, field), self.channels, _refuse)
            object.__setattr__(self, field, values)

    @property
    def downscale(self) -> int:
        """Pixels per token and side."""
        return 4 if self.variant == "cifar" else 16

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens as (rows, columns)."""
        return self.height // self.downscale, self.width // self.downscale

    @property
    def tokens(self) -> int:
        """N."""
        return math.prod(self.grid)

    @property
    def head_dim(self) -> int:
        """Width d of one head."""
        return self.embed_dim // self.heads

    @property
    def map_theta(self) -> float:
        """Threshold of the attention map's neuron."""
        return 1.0 if self.theta is None else self.theta

    @property
    def no_hardware(self) -> str | None:
        """Why hardware is not made for such a network, or None."""
        if self.binary and self.reversible:
            return None
        return (
            "Only reversible networks of binary weights become hardware; leave out "
            "--no-binary and --no-reversible, or give --rounded 0"
        )

    def to_json(self) -> dict[str, Any]:
        """JSON fields of a checkpoint's configuration file."""
        fields = dataclasses.asdict(self)
        return {"model": "bestformer", **fields, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, fields: dict[str, Any], where: str = "configuration") -> "BestformerConfig":
        """Configuration of a checkpoint's JSON fields; fields of other meaning are ignored.

        Parameters
        ----------
        fields : dict
            As `to_json` makes them; ``mean`` and ``std`` may be plain numbers.
        where : str
            Name of the source in messages.
        """
        return cls(**own_fields(cls, fields, "bestformer", where, OPTIONAL))
