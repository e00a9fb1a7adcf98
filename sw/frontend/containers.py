"""What a trainer wrapped weights in: one network's tensors out of it, under plain names.

Wrappers (``{"state_dict": ...}``), sets of weights beside each other (raw and averaged), prefixes
of modules around the network, and what is no weight of it, which is listed.
"""

import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hw.common.errors import SpikeloomError
from sw import families
from sw.families.reasons import some

CHOICES = ("raw", "ema")
#: Names under which averaged weights are kept, whole or as the first part of a key.
EMA = (
    "state_dict_ema",
    "ema_state_dict",
    "model_ema",
    "ema_model",
    "ema",
    "params_ema",
    "ema_net",
    "net_ema",
    "average_model",
    "averaged_model",
    "avg_model",
    "model_average",
    "swa_model",
    "swa_state_dict",
    "ema_weights",
    "shadow",
    "shadow_params",
    "model_ema_state_dict",
)
RAW = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "weights",
    "params",
    "net_state_dict",
)
#: What lies beside weights and holds tensors that are none.
BESIDE = re.compile(
    r"optim|sched|scaler|loss|criterion|callback|hyper|loops|rng|metric|history|"
    r"sampler|amp|args|config|datamodule",
    re.IGNORECASE,
)
#: Parts of keys that wrappers put around a module, anywhere.
AROUND = {
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_forward_module",
    "_fpw_module",
    "_ddp_module",
}
#: Last parts of keys that are no weights: counters, profilers, states of neurons.
EXTRAS = {
    "num_batches_tracked",
    "total_ops",
    "total_params",
    "n_averaged",
    "v",
    "v_seq",
    "s_seq",
    "spike",
    "spike_seq",
    "mem",
    "syn",
    "firing_rate",
}
DEPTH = 4  #: Of wrappers in each other.


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One network's tensors, float32 by plain name; what was left out, and which set it is."""

    tensors: dict[str, np.ndarray]
    ignored: list[str] = field(default_factory=list)
    which: str = ""  #: 'raw' or 'ema' where there were both, or averaged ones alone; else "".


def unwrap(
    path: pathlib.Path,
    state: Any,
    array: Callable[[str, Any], np.ndarray],
    is_tensor: Callable[[Any], bool],
    choice: str | None = None,
) -> Weights:
    """Find one network's tensors in whatever a file holds.

    Parameters
    ----------
    array : a tensor, by its key, as an array; may refuse it.
    is_tensor : tells tensors from other things.
    choice : 'raw' or 'ema'; default averaged weights where they are complete, else raw ones.
    """
    if choice not in (None, *CHOICES):
        raise SpikeloomError(f"{path}: weights must be raw or ema, not {choice!r}")
    if not isinstance(state, Mapping):
        raise SpikeloomError(
            f"{path}: holds a {type(state).__name__}, wanted a state dict; save model.state_dict()"
        )
    sets = list(_sets(state, is_tensor, (), set()))
    if not sets:
        raise SpikeloomError(f"{path}: holds no tensors; give a trained network's weights")
    chosen, which, others = _choose(path, sets, choice)
    ignored = list(others)
    tensors: dict[str, np.ndarray] = {}
    for key, value in chosen.items():
        if is_tensor(value):
            tensors[key] = value
        else:
            ignored.append(key)
    plain, dropped = _plain_names(path, tensors)
    ignored += dropped
    return Weights(
        tensors=_clean(path, {name: array(name, v) for name, v in plain.items()}),
        ignored=ignored,
        which=which,
    )


def _sets(
    state: Mapping, is_tensor: Callable[[Any], bool], place: tuple[str, ...], seen: set[int]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Dictionaries that hold tensors, with the names that lead there."""
    seen.add(id(state))  # a file may name a thing many times
    here = {str(k): v for k, v in state.items() if not isinstance(v, Mapping)}
    if any(is_tensor(v) and getattr(v, "ndim", 0) > 0 for v in here.values()):
        yield place, here
    if len(place) < DEPTH:
        for key, value in state.items():
            wrapper = isinstance(value, Mapping) and not BESIDE.search(str(key))
            if wrapper and id(value) not in seen:
                yield from _sets(value, is_tensor, (*place, str(key)), seen)


def _choose(
    path: pathlib.Path, sets: list[tuple[tuple[str, ...], dict]], choice: str | None
) -> tuple[dict, str, list[str]]:
    """One set of weights, which one it is, and the names of what is left."""
    kinds: dict[str, list[tuple[str, dict]]] = {"raw": [], "ema": [], "other": []}
    for place, held in sets:
        label = ".".join(place)
        averaged = {k: v for k, v in held.items() if _first(k) in EMA}
        if any(part in EMA for part in place):
            kinds["ema"].append((label, held))
            continue
        rest = {k: v for k, v in held.items() if k not in averaged}
        if len(averaged) > 1:
            kinds["ema"].append((label, averaged))
        elif averaged:
            rest |= averaged
        if len(rest) > 1 or not averaged:
            known = not place or place[-1] in RAW or place[0] in RAW
            kinds["raw" if known else "other"].append((label, rest))
    if not kinds["raw"] and len(kinds["other"]) == 1:
        kinds["raw"] = kinds.pop("other")
        kinds["other"] = []
    anchor = _anchor()
    anchored = [e for e in kinds["raw"] if any(anchor.search(k) for k in e[1])]
    raw = anchored or kinds["raw"]
    if len(raw) > 1 or (not raw and not kinds["ema"] and kinds["other"]):
        names = [label or "the top level" for label, _ in raw or kinds["other"]]
        raise SpikeloomError(
            f"{path}: holds several sets of weights: {some(names)}; save the one that is meant by "
            "itself: torch.save(model.state_dict(), FILE)"
        )
    ema = kinds["ema"][:1]
    if choice == "ema" and not ema:
        raise SpikeloomError(f"{path}: holds no averaged weights; leave weights='ema' out")
    if choice == "raw" and not raw:
        raise SpikeloomError(f"{path}: holds averaged weights only; leave weights='raw' out")
    if choice is not None:
        which = choice
    elif ema and raw:
        which = "ema" if _complete(ema[0][1], raw[0][1]) else "raw"
    else:
        which = "ema" if ema else ""
    chosen = ema[0][1] if which == "ema" else raw[0][1]
    left = [
        label or "top level"
        for kind in kinds.values()
        for label, held in kind
        if held is not chosen
    ]
    return chosen, which, [f"{label} (another set of weights)" for label in left]


def _anchor() -> re.Pattern[str]:
    """What leads to the names of a family's own, in keys; matches nothing where none tells."""
    own = "|".join(f"(?:{f.own_names})" for f in families.FAMILIES if f.own_names)
    return re.compile(rf"(?:^|^.*?\.)(?={own or '(?!)'})")


def _first(key: str) -> str:
    return key.split(".")[0]


def _complete(ema: dict, raw: dict) -> bool:
    """Whether the averaged set has every weight of the raw one."""

    def names(held: dict) -> set[str]:
        found = set()
        for key in held:
            parts = [p for p in key.split(".") if p not in AROUND]
            while parts and (parts[0] in EMA or parts[0] == "module"):
                parts = parts[1:]
            if parts and parts[-1] not in EXTRAS:
                found.add(".".join(parts))
        return found

    return names(raw) <= names(ema)


def _plain_names(path: pathlib.Path, tensors: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Tensors under the network's own names, and the keys that are none of its weights."""
    modules = [f.own_modules for f in families.FAMILIES if f.own_modules]
    own = any(re.search(pattern, key) for pattern in modules for key in tensors)
    names: dict[str, str] = {}
    ignored = []
    for key, value in tensors.items():
        parts = [p for p in key.split(".") if p not in AROUND]
        if not own:
            parts = [p for p in parts if p != "module"]
        while len(parts) > 1 and parts[0] == "module":
            parts = parts[1:]
        scalar = getattr(value, "ndim", 1) == 0 and len(parts) == 1
        if not parts or parts[-1] in EXTRAS or "surrogate_function" in parts or scalar:
            ignored.append(key)
        else:
            names[key] = ".".join(parts)
    anchor = _anchor()
    prefixes: dict[str, int] = {}
    for name in names.values():
        if found := anchor.match(name):
            prefixes[found[0]] = prefixes.get(found[0], 0) + 1
    whole = [p for p, n in prefixes.items() if n >= max(prefixes.values()) / 2]
    if len(whole) > 1:
        raise SpikeloomError(
            f"{path}: holds several networks, under {some([p or 'no prefix' for p in whole])}; "
            "save the one that is meant by itself: torch.save(model.NAME.state_dict(), FILE)"
        )
    prefix = whole[0] if whole else _common(list(names.values()))
    out: dict[str, Any] = {}
    for key, name in names.items():
        if not name.startswith(prefix):
            ignored.append(key)
            continue
        plain = name[len(prefix) :]
        if plain in out:
            raise SpikeloomError(
                f"{path}: two tensors are called {plain[:80]} without their prefixes; save "
                "model.state_dict() of the plain module"
            )
        out[plain] = tensors[key]
    return out, ignored


def _common(names: list[str]) -> str:
    """The first part of all names, where it is the same and known to be a wrapper's."""
    firsts = {_first(name) if "." in name else "" for name in names}
    if len(firsts) == 1 and (first := firsts.pop()) in (*RAW, *EMA):
        return f"{first}."
    return ""


def _clean(path: pathlib.Path, raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays as float32; refuses what are no finite real numbers."""
    state, wrong, unreal = {}, [], []
    for key, value in raw.items():
        if value.dtype.kind not in "fiub":
            wrong.append(f"{key} ({value.dtype})")
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            state[key] = np.ascontiguousarray(value, dtype=np.float32)
        if not np.isfinite(state[key]).all():
            unreal.append(key)
    if wrong:
        raise SpikeloomError(
            f"{path}: tensors that are not real numbers: {some(wrong)}; save the network's real "
            "weights (of complex ones there is no hardware)"
        )
    if unreal:
        raise SpikeloomError(
            f"{path}: NaN or infinity in {some(unreal)}; the training diverged or the file is "
            "damaged: use another checkpoint"
        )
    if not state:
        raise SpikeloomError(f"{path}: holds no tensors; give a trained network's weights")
    return state
