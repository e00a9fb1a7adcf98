"""``load``: find a file, find its family, read its graph."""

import pathlib
import warnings
from typing import Any

from hw.arch.formats import FACTOR_BITS
from hw.common.errors import SpikeloomError
from hw.common.files import MAX_NAME
from sw import families
from sw.families import Family
from sw.families.reasons import strange
from sw.families.settings import Settings
from sw.frontend.files import SUFFIXES, read_sidecar, read_weights, stem, suffix
from sw.frontend.nir import file as nir_file
from sw.frontend.nir.graph import NIR, written
from sw.graph import FloatNetwork

SHIPPED = pathlib.Path(__file__).resolve().parents[1] / "shipped"

DEFAULT = "mnist-bestformer"  #: The shipped network that is taken where none is named.


def load(
    source: str | pathlib.Path,
    *,
    heads: int | None = None,
    steps: int | None = None,
    attention: str | None = None,
    similarity: str | None = None,
    map_theta: float | None = None,
    membrane_bits: int | None = None,
    alpha: float | str | None = None,
    strides: tuple[int, ...] | None = None,
    mean: float | tuple[float, ...] | None = None,
    std: float | tuple[float, ...] | None = None,
    image_size: int | tuple[int, int] | None = None,
    dt: float | None = None,
    name: str | None = None,
    weights: str | None = None,
) -> FloatNetwork:
    """Load a trained network.

    Options win over the JSON file beside the weights, and both over the family's default; an
    option that contradicts the weights, or that their family does not have, is refused.

    Parameters
    ----------
    source : name of a shipped network, or path of a .safetensors, .npz, .pt, .pth, .ckpt, .bin or
        .tar file (suffixes in any case), or of a .nir graph.
    heads, steps : H and T; a BESTformer tells them in ``lambda_attn``.
    attention : 'qk' or 'kv'; default 'qk' for the CIFAR variant, 'kv' for the ImageNet variant.
    similarity : 'and' (default) or 'xnor' (qk order only).
    map_theta : threshold of the map's neuron; default 1 for 'and', d/2 + 1 for 'xnor'.
    membrane_bits : 2, 4 or 8, width of a Q-SNN's stored membranes; of a NIR graph's where they
        are to be quantised like those.
    alpha : scale of the stored membranes, default 1; 'batch' takes it from each batch, as the
        authors' code does.
    strides : 1 or 2 for each convolution of a Q-SNN VGG net without pools.
    mean, std : per channel, of pixels scaled to 0..1.
    image_size : height and width the network was trained for; one number if square.
    dt : length of a time step of a NIR graph, in the unit of its time constants.
    name : name of the network; default the file's.
    weights : 'raw' or 'ema' where a file holds both; default the averaged ones if they are
        complete. ``meta["weights"]`` tells which were taken, ``meta["ignored"]`` what was left out.
    """
    path = find(source)
    side = read_sidecar(path)
    state: Any
    extra: dict = {}
    if suffix(path) == nir_file.SUFFIX:
        state, family = nir_file.read_graph(path), NIR
        side = {**written(state), **side}
    else:
        state, family, extra = _read_family(path, weights)
    options = dict(
        heads=heads,
        steps=steps,
        attention=attention,
        similarity=similarity,
        map_theta=map_theta,
        membrane_bits=membrane_bits,
        alpha=alpha,
        strides=strides,
        mean=mean,
        std=std,
        image_size=image_size,
        dt=dt,
    )
    foreign = [k for k, v in options.items() if v is not None and k not in family.settings]
    if foreign:
        raise SpikeloomError(
            f"{path}: a {family.title} has no {', '.join(foreign)}; leave it out (its options "
            f"are {', '.join(family.settings)})"
        )
    if comparison := [k for k in family.comparison if side.get(k) is False]:
        raise SpikeloomError(
            f"{path}: trained for comparison only ({', '.join(f'{k}: false' for k in comparison)} "
            "beside it), wanted a network that hardware is made for; train it without "
            f"{' '.join(f'--no-{k}' for k in comparison)}"
        )
    settings = Settings.merge(path, side, **options)
    meta: dict = {"source": path.name, "family": family.title}
    meta |= {k: side[k] for k in ("data", "test_acc", "preprocess") if k in side}
    meta |= extra
    if "pixel_weight_bits" in side:
        meta["pixel_weight_bits"] = _pixel_bits(path, side["pixel_weight_bits"])
    label = name or str(side.get("name", stem(path)))[:MAX_NAME]
    return family.read(path, state, settings, name=label, meta=meta)


def _pixel_bits(path: pathlib.Path, value: object) -> int:
    if type(value) is not int or not 2 <= value <= FACTOR_BITS:
        raise SpikeloomError(
            f"{path}: pixel_weight_bits beside it must be 2 to {FACTOR_BITS}, not {str(value)[:40]}"
        )
    return value


def _read_family(path: pathlib.Path, weights: str | None) -> tuple[families.State, Family, dict]:
    """State dict of ``path``, its family, and what is told of the file."""
    found = read_weights(path, weights)
    state = found.tensors
    extra: dict = {}
    if found.which:
        extra["weights"] = found.which
        if weights is None and any("another set" in name for name in found.ignored):
            other = "raw" if found.which == "ema" else "ema"
            words = {"raw": "raw", "ema": "averaged (ema)"}
            warnings.warn(
                f"{path}: holds {words[found.which]} and {words[other]} weights; the "
                f"{words[found.which]} ones are taken (weights='{other}' takes the others)",
                stacklevel=3,
            )
    if found.ignored:
        extra["ignored"] = found.ignored
    family = families.of_state(state)
    if family is None:
        keys = {family.title: family.keys for family in families.FAMILIES}
        raise SpikeloomError(strange(path, state, keys))
    return state, family, extra


def shipped() -> list[str]:
    """Names of the shipped networks."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def find(source: str | pathlib.Path) -> pathlib.Path:
    """Path of ``source``: itself, or the shipped network of that name."""
    path = pathlib.Path(source)
    if suffix(path) in (*SUFFIXES, nir_file.SUFFIX) or path.exists():
        if path.is_dir():
            raise SpikeloomError(f"{path}: is a folder; give the weight file in it")
        return path
    found = SHIPPED / f"{source}.safetensors"
    if len(path.parts) == 1 and found.is_file():
        return found
    names = ", ".join(shipped()) or "none"
    raise SpikeloomError(
        f"{source}: neither a file nor a shipped network (shipped: {names}); check the spelling"
    )
