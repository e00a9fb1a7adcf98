"""Why a state dict is no network of ours, layer by layer, in a few lines."""

import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

SHOWN = 6  #: Names in a message.
MOST = 14  #: Lines of layers,
EACH = 5  #: of which so many of each kind come first.
CURES = {
    "missing": "save the whole model.state_dict() again",
    "shape": "train it in a form that this family has, or give the checkpoint that belongs to it",
    "unexpected": "leave these layers out of the network, or train one of the family without them",
}


def some(names: list[str]) -> str:
    """Return the first names of a list, shortened, and how many more there are."""
    text = ", ".join(name[:80] for name in names[:SHOWN])
    return text + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def layer_of(key: str) -> str:
    """A tensor's layer: its key without the last part, shortened."""
    return key.rpartition(".")[0][:70] or key[:70]


def why(
    path: pathlib.Path,
    family: str,
    want: Mapping[str, tuple],
    state: Mapping[str, np.ndarray],
    wrong: Mapping[str, tuple],
    others: Sequence[str] = (),
) -> str:
    """Tell a state dict's faults by layer.

    Parameters
    ----------
    want : shape of each tensor of the family's network.
    wrong : key -> wanted shape of those that have another one.
    others : faults that are of no tensor.
    """
    layers: dict[str, list[str]] = {}
    kinds: dict[str, list[str]] = {}  # kind of fault -> layers

    def note(kind: str, key: str, text: str) -> None:
        if layer_of(key) not in layers:
            kinds.setdefault(kind, []).append(layer_of(key))
        kinds.setdefault(kind, [])
        layers.setdefault(layer_of(key), []).append(text)

    for key, shape in want.items():
        if key not in state:
            note("missing", key, f"missing {key[:80]}, wanted {shape}")
    for key, value in state.items():
        if key not in want:
            note(
                "unexpected",
                key,
                f"unexpected {key[:80]} {value.shape}: the family has no such layer",
            )
    for key, shape in wrong.items():
        note("shape", key, f"{key[:80]} is {state[key].shape}, wanted {shape}")
    first = [layer for held in kinds.values() for layer in held[:EACH]]
    lines = []
    for layer in [*first, *(layer for layer in layers if layer not in first)]:
        faults = layers[layer]
        more = f" and {len(faults) - 1} more of this layer" if len(faults) > 1 else ""
        lines.append(f"{layer}: {faults[0]}{more}")
    shown = lines[:MOST]
    if len(lines) > MOST:
        shown.append(f"and {len(lines) - MOST} more layers")
    good = {layer_of(k) for k in want} - set(layers)
    shown += [text[:300] for text in others[:3]]
    cure = "; ".join(CURES[kind] for kind in kinds) or CURES["shape"]
    head = f"{path}: not a complete {family} state dict: {len(good)} of its layers convert"
    return "\n  ".join([f"{head}, these do not:", *shown]) + f"\n{cure}"


def strange(
    path: pathlib.Path, state: Mapping[str, np.ndarray], families: Mapping[str, str]
) -> str:
    """Tell a state dict of no known family: its layers by kind, and which of them hardware has.

    ``families`` are the titles of those there are, with some keys of each.
    """
    known = " or ".join(f"{title} ({keys})" for title, keys in families.items())
    groups: dict[str, list[str]] = {}
    for key, value in state.items():
        groups.setdefault(_kind(key, value), []).append(key)
    lines = []
    for kind, keys in groups.items():
        names = ", ".join(k[:60] for k in keys[:2]) + (", ..." if len(keys) > 2 else "")
        lines.append(f"{len(keys)} of {kind}: {names}")
    return "\n  ".join(
        [
            f"{path}: not a network of a known family; its {len(state)} tensors are",
            *lines[:MOST],
        ]
    ) + (f"\na {known} under the authors' names converts; others as a NIR graph (docs/use/nir.md)")


def _kind(key: str, value: np.ndarray) -> str:
    if re.search(r"running_(mean|var)$", key):
        return "normalisation (converts behind a binary convolution)"
    if re.search(r"relative_position|pos_embed|cls_token", key):
        return "position tables and tokens (no hardware)"
    if re.search(r"norm\d*\.|ln_?\d*\.|layernorm", key, re.IGNORECASE) and value.ndim == 1:
        return "layer normalisation or scales (LayerNorm has no hardware; BatchNorm converts)"
    if re.search(r"qkv|in_proj|attn|attention", key) and value.ndim == 2:
        return "attention in floats (only spiking attention of a BESTformer converts)"
    return {
        4: "2D convolutions (convert where 1x1 or 3x3, binary, between spiking neurons)",
        3: "1D convolutions (convert where of width 1)",
        2: "linear layers (convert as the last layer)",
        1: "biases and scales",
    }.get(value.ndim, f"tensors of {value.ndim} axes (no hardware)")
