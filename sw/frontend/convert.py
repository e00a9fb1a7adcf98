"""A checkpoint stated back, and written in this project's form: see `sw.convert`."""

import pathlib
from typing import Any

import numpy as np

from hw.common.errors import SpikeloomError
from hw.common.files import plain_name, write, write_json
from sw.families import Family, titled
from sw.families.reasons import some
from sw.frontend import weights
from sw.frontend.files import SUFFIXES, read_sidecar, read_weights, side_file, suffix
from sw.frontend.loader import find, load
from sw.frontend.nir import write as nir
from sw.frontend.nir.file import SUFFIX as NIR
from sw.frontend.nir.graph import NIR as NIR_GRAPH
from sw.graph import LIF, Conv, FloatNetwork, Linear, Similarity
from sw.graph.execute import measure_alpha

LABELS = ("data", "test_acc", "preprocess")
CURE = "check space and permissions"


def convert(
    source: str | pathlib.Path,
    out: pathlib.Path | None = None,
    *,
    lossy: bool = False,
    calibration: np.ndarray | None = None,
    **options: Any,
) -> tuple[FloatNetwork, pathlib.Path]:
    """Load ``source`` and write it.

    Parameters
    ----------
    source : name of a shipped network, or path of a weight file or NIR graph.
    out : path that ends in .safetensors (of a NIR graph: in .nir, a copy), with a .json file
        written beside it; default in build/convert, by the network's name. Or, of a
        checkpoint, path that ends in .nir, which holds all itself.
    lossy : as for ``sw.nir.save``, where a NIR graph is made.
    calibration : images, as for ``run``, on which alpha is measured for each neuron.
    options : as for ``sw.load``; ``dt`` also where a NIR graph is made.

    Returns
    -------
    tuple
        The network and the path written.
    """
    path = find(source)
    graph = suffix(path) == NIR
    made = not graph and out is not None and out.suffix == NIR
    dt = options.pop("dt", None) if made else None
    net = load(source, **options)
    if calibration is not None:
        net = net.with_alpha(measure_alpha(net, calibration))
    ending = NIR if graph else ".safetensors"
    out = out or pathlib.Path("build/convert") / f"{plain_name(net.name)}{ending}"
    if out.suffix != ending and not made:
        also = "" if graph else " or '.nir'"
        raise SpikeloomError(
            f"{out}: ends in {out.suffix!r}, wanted {ending!r}{also}; name the output so"
        )
    if lossy and not made:
        raise SpikeloomError(f"{out}: lossy is for making .nir files; leave it out")
    if out.exists() and out.samefile(path):
        raise SpikeloomError(f"{out}: is the checkpoint itself; give another --out")
    if made:
        return net, nir.save(net, out, dt=nir.DT if dt is None else dt, lossy=lossy)
    _spare_side_files(path, out)
    side = read_sidecar(path)
    fields = {**settings(net), **{k: side[k] for k in LABELS if k in side}}
    if "pixel_weight_bits" in net.meta:
        fields["pixel_weight_bits"] = net.meta["pixel_weight_bits"]
    content = path.read_bytes() if graph else _tensors(path, options.get("weights"), _family(net))
    write(out, content, CURE)
    write_json(out.with_suffix(".json"), fields, CURE)
    return net, out


def _spare_side_files(path: pathlib.Path, out: pathlib.Path) -> None:
    """Refuse an output whose side file would take the place of another network's."""
    beside = out.with_suffix(".json")
    if not beside.exists():
        return
    owners = [
        p
        for p in sorted(out.parent.iterdir())
        if p.name != out.name
        and suffix(p) in (*SUFFIXES, NIR)
        and side_file(p) is not None
        and side_file(p).samefile(beside)  # type: ignore[union-attr]
    ]
    if owners:
        raise SpikeloomError(
            f"{out}: its side file {beside.name} is there already and belongs to "
            f"{', '.join(p.name for p in owners[:3])}; give another --out"
        )


def _family(net: FloatNetwork) -> Family:
    found = NIR_GRAPH if net.meta["family"] == NIR_GRAPH.title else titled(net.meta["family"])
    assert found is not None  # ``load`` has read it
    return found


def _tensors(path: pathlib.Path, which: str | None, family: Family) -> bytes:
    """A checkpoint's tensors, each once, as a safetensors file."""
    return weights.seal(family.unify(read_weights(path, which).tensors))


def settings(net: FloatNetwork) -> dict[str, Any]:
    """What ``sw.load`` must be told about ``net`` besides its tensors; JSON types."""
    fields: dict[str, Any] = {
        "name": net.name,
        "steps": net.steps,
        "mean": list(net.mean),
        "std": list(net.std),
    }
    if net.size is not None:
        fields["image_size"] = list(net.size)
    return {**fields, **_family(net).told(net)}


def describe(net: FloatNetwork) -> str:
    """Sizes inferred from the tensors and settings in force, as text."""
    layers = [node for node in net.nodes if isinstance(node, Conv | Linear)]
    binary = sum(n.weight.size for n in layers if isinstance(n, Conv) and n.binary)
    other = sum(n.weight.size for n in layers if not (isinstance(n, Conv) and n.binary))
    side = "not told" if net.size is None else f"{net.size[0]}x{net.size[1]}"
    lines = [
        f"{net.name}: {net.meta.get('family', 'network')}, {len(layers)} layers of weights, "
        f"{sum(isinstance(n, LIF) for n in net.nodes)} layers of neurons",
        f"  weights          {binary} binary, {other} of more bits",
        f"  image            {net.channels} channels, size {side}",
        f"  classes          {net.classes}",
    ]
    if maps := [node for node in net.nodes if isinstance(node, Similarity)]:
        channels = next(n for n in layers if isinstance(n, Linear)).weight.shape[1]
        lines += [
            f"  blocks           {len(maps)}, of {channels} channels",
            f"  heads            {maps[0].heads}",
        ]
    skipped = ("name", "image_size")
    told = {k: v for k, v in settings(net).items() if k not in skipped}
    told |= {k: v for k, v in net.meta.items() if k not in ("source", "family", *told, *LABELS)}
    return "\n".join([*lines, *(f"  {key:16s} {_text(value)}" for key, value in told.items())])


def _text(value: object) -> str:
    if isinstance(value, list) and len(value) > 12:
        return some(list(map(str, value)))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
