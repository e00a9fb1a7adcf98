"""Memory writes of a run: their format, and the way back to tensors."""

from dataclasses import dataclass

import numpy as np

from hw.arch.config import Config
from hw.arch.isa import Dest, Instruction, Keep
from sw.compiler.program import Label, Program

_PLACE = [("instruction", "i4"), ("step", "i2"), ("head", "i2"), ("token", "i4"), ("channel", "i4")]
RESIDUAL = np.dtype(
    [("cycle", "i8"), ("buffer", "i1"), ("lane", "i2"), ("addr", "i4"), ("value", "i4"), *_PLACE]
)
MEMBRANE = np.dtype(
    [("cycle", "i8"), ("lane", "i2"), ("addr", "i4"), ("half", "i1"), ("value", "u1"), *_PLACE]
)
PIXEL = np.dtype([("cycle", "i8"), ("addr", "i4"), ("value", "i4"), *_PLACE])


def word_dtype(config: Config) -> np.dtype:
    """Return the dtype of writes to row and column memory.

    ``data`` is the word, least significant byte first, 0 where ``mask`` (one bit per byte) is 0;
    ``count`` bytes from byte ``first`` hold the spikes, starting with ``token`` and ``channel``
    (of ``head``), the other bytes are zero extension.
    """
    return np.dtype(
        [
            ("cycle", "i8"),
            ("bank", "i2"),
            ("addr", "i4"),
            ("data", "u1", (config.width // 8,)),
            ("mask", "u2"),
            ("first", "u1"),
            ("count", "u1"),
            *_PLACE,
        ]
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """Every memory write of one image, each memory's in order of cycle, then bank or lane."""

    row: np.ndarray  #: `word_dtype`.
    col: np.ndarray  #: `word_dtype`.
    res: np.ndarray  #: `RESIDUAL`.
    pix: np.ndarray  #: `PIXEL`.
    mem: np.ndarray  #: `MEMBRANE`: bytes of codes in residual buffer A.


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a memory word holds: first step, token and channel of it.

    In an attention map, ``token`` is the row (query, or v channel) and ``channel`` the column
    (key, or k channel) of the head that ``channel // head width`` is.
    """

    layer: str
    tensor: str
    step: int
    token: int
    channel: int

    def __str__(self) -> str:
        return (
            f"layer {self.layer}, tensor {self.tensor}, step {self.step}, "
            f"token {self.token}, channel {self.channel}"
        )


def locate(program: Program, memory: str, event: np.void) -> Place:
    """Return what an element of `Events` writes, for messages.

    Parameters
    ----------
    memory : str
        Name of the field of `Events` that ``event`` comes from: row, col, res, pix or mem.
    """
    label = program.labels[int(event["instruction"])]
    return Place(
        layer=label.layer,
        tensor={"res": label.residual, "pix": label.mean}.get(memory, label.pooled) or label.tensor,
        step=int(event["step"]),
        token=int(event["token"]),
        channel=label.first + int(event["head"]) * label.head_width + int(event["channel"]),
    )


def recover(program: Program, events: Events) -> dict[str, np.ndarray]:
    """Return all tensors that a run wrote, by name, from its memory writes alone.

    Spikes and residuals (T, C, H, W), maps as `sw.network` shapes them without B, means and
    logits (C,), means of single tokens (C * H * W,). Residuals that nobody reads, spikes whose
    windows alone are written, and what is only summed while it is made, are in no memory.
    """
    out: dict[str, np.ndarray] = {}
    decoded = program.instructions()
    for n, (label, i) in enumerate(zip(program.labels, decoded, strict=True)):
        if label.kind == "values":
            values = events.pix[events.pix["instruction"] == n]
            for head, name in enumerate(label.tensor.split(",")):
                if name:
                    part = _values(label, values[values["head"] == head], label.shape)
                    out[name] = out[name] + part if label.first else part
            continue
        parts = {}
        if label.mean:
            values = events.pix[events.pix["instruction"] == n]
            parts[label.mean] = _values(label, values, label.shape[:1])
        if label.residual:
            parts[label.residual] = _residual(program, events, n)
        if label.pooled:
            parts[label.pooled] = _spikes(program, events, n, i)
        elif label.tensor and i.dest == Dest.NONE and i.keep == Keep.SPIKE:
            parts[label.tensor] = _residual(program, events, n).astype(np.uint8)
        elif label.tensor and i.dest != Dest.NONE:
            parts[label.tensor] = _spikes(program, events, n, i)
        for name, part in parts.items():
            out[name] = out[name] + part if label.first else part
    return out


def _values(label: Label, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Features or logits."""
    values = values[label.first + values["channel"] < label.shape[0]]
    channel = label.first + values["channel"]
    if not label.pitch:
        out = np.zeros(shape, np.int64)
        out[channel] = values["value"]
        return out
    _, h, w = label.shape
    y, x = np.divmod(values["token"], label.pitch)
    ok = (y < h) & (x < w)
    out = np.zeros((label.shape[0], h, w), np.int64)
    out[channel[ok], y[ok], x[ok]] = values["value"][ok]
    return out.ravel()


def _residual(program: Program, events: Events, n: int) -> np.ndarray:
    """What instruction ``n`` left in residual memory: (T, C, H, W)."""
    shape, first = program.labels[n].shape, program.labels[n].first
    mine = events.res[events.res["instruction"] == n]
    mine = mine[first + mine["channel"] < shape[0]]
    out = np.zeros((program.steps, shape[0], np.prod(shape[1:])), np.int64)
    out[mine["step"], first + mine["channel"], mine["token"]] = mine["value"]
    return out.reshape(program.steps, *shape)


def _spikes(program: Program, events: Events, n: int, i: Instruction) -> np.ndarray:
    label, dest = program.labels[n], Dest(i.dest)
    source = events.col if dest in (Dest.COL_TOKEN, Dest.COL_CHANNEL) else events.row
    mine = source[source["instruction"] == n]
    is_map = label.kind == "map"
    image = tuple(-(-n // 2) if label.pooled else n for n in label.shape[1:])
    tokens = label.shape[1] if is_map else int(np.prod(image))
    width = label.head_width or label.shape[0]
    heads = label.shape[0] // width if not is_map else label.shape[0]
    out = np.zeros((program.steps, heads, tokens, width), np.uint8)
    if len(mine):
        count = int(mine["count"][0])
        at = mine["first"][:, None] + np.arange(count)
        payload = np.take_along_axis(mine["data"], at, axis=1)
        bits = np.unpackbits(payload, axis=1, bitorder="little")
        token, channel = (
            mine[f][:, None] + 0 * bits.astype(np.int64) for f in ("token", "channel")
        )
        along, channel = np.arange(bits.shape[1]), channel + label.first
        if dest in (Dest.COL_CHANNEL, Dest.ROW_CHANNEL):
            token = token + along
        else:
            channel = channel + along
        step, head = (mine[f][:, None] + np.zeros_like(token) for f in ("step", "head"))
        ok = (token < tokens) & (channel < width)
        out[step[ok], head[ok], token[ok], channel[ok]] = bits[ok]
    if is_map:
        return out.swapaxes(2, 3) if label.transposed else out
    return out.transpose(0, 1, 3, 2).reshape(program.steps, label.shape[0], *image)
