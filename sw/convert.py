"""State back what a checkpoint holds, and write it in this project's form.

``python -m sw.convert CHECKPOINT``: X.safetensors with each tensor once under the authors' name,
and X.json beside it with what the tensors cannot tell; ``sw.load`` needs no options for those.
A NIR graph stays one, with its X.json; ``--out X.nir`` makes one of a network without attention.
"""

import argparse
import pathlib
import sys
import warnings
from typing import Any

import numpy as np

from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from hw.common.files import plain_name, write, write_json
from sw import nir, weights
from sw.frontend import load, nir_graph
from sw.frontend.containers import some
from sw.frontend.files import SUFFIXES, read_sidecar, read_weights, side_file, suffix
from sw.frontend.loader import find
from sw.frontend.nir_file import SUFFIX as NIR
from sw.frontend.qsnn_keys import unify
from sw.graph import LIF, Conv, FloatNetwork, Linear, Similarity

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
        net = net.with_alpha(net.measure_alpha(calibration))
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
    content = path.read_bytes() if graph else _tensors(path, options.get("weights"))
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


def _images(path: pathlib.Path) -> np.ndarray:
    """Images of a .npy file."""
    try:
        images = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SpikeloomError(
            f"{path}: no .npy file of images ({error}); save them with numpy.save"
        ) from None
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise SpikeloomError(f"{path}: images must be uint8, (B, H, W) or (B, C, H, W)")
    return images


def _tensors(path: pathlib.Path, which: str | None) -> bytes:
    """A checkpoint's tensors, each once, as a safetensors file."""
    state, _ = unify(read_weights(path, which).tensors)
    return weights.seal(state)


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
    neurons = {node.source: node for node in net.nodes if isinstance(node, LIF)}
    alphas: dict[str, float | str] = {}
    for node in net.nodes:
        match node:
            case Similarity():
                theta = neurons[node.name].theta
                told = {"attention": node.order, "similarity": node.similarity, "map_theta": theta}
                fields |= told
            case LIF() if node.state_bits is not None and (
                net.meta.get("family") != nir_graph.FAMILY or "membrane_bits" in net.meta
            ):
                fields["membrane_bits"] = node.state_bits
                alphas[node.name] = "batch" if node.alpha is None else node.alpha
    if alphas:
        kinds = set(alphas.values())
        fields["membrane_alpha"] = kinds.pop() if len(kinds) == 1 else alphas
    if "dt" in net.meta:
        fields["dt"] = net.meta["dt"]
    if net.meta.get("variant") == "vgg":
        fields["strides"] = [node.stride for node in net.nodes if isinstance(node, Conv)]
    return fields


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


def _form(text: str, wanted: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text!r} is not {wanted}")


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise _form(text, "a whole number, such as 4")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _form(text, "a number, such as 0.5") from None


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise _form(text, "a number, or one per channel such as 0.49,0.48,0.45") from None


def _wholes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        raise _form(text, "whole numbers with commas between, such as 1,2,1,2") from None


def _side(text: str) -> int | tuple[int, ...]:
    try:
        sides = tuple(int(part) for part in text.lower().replace("x", ",").split(","))
    except ValueError:
        sides = ()
    if len(sides) not in (1, 2):
        raise _form(text, "a side or height and width, such as 32 or 32x48")
    return sides[0] if len(sides) == 1 else sides


def _alpha(text: str) -> float | str:
    if text in ("batch", "measured"):
        return text
    try:
        return float(text)
    except ValueError:
        raise _form(text, "a number, batch or measured") from None


def parser() -> argparse.ArgumentParser:
    """Command line."""
    p = argparse.ArgumentParser(prog=prog("sw.convert"), description=(__doc__ or "").split("\n")[0])
    p.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="a weight file, a .nir graph, or a shipped name"
    )
    p.add_argument(
        "--out",
        type=pathlib.Path,
        help="default build/convert/NAME.safetensors; NAME.nir makes a NIR graph",
    )
    p.add_argument(
        "--calibration",
        type=pathlib.Path,
        metavar="FILE",
        help=".npy of images for --alpha measured",
    )
    p.add_argument(
        "--lossy", action="store_true", help="make .nir files of what NIR cannot say, as metadata"
    )
    for name, kind, text in (
        ("heads", _whole, "attention heads H"),
        ("steps", _whole, "time steps T"),
        ("attention", str, "qk or kv"),
        ("similarity", str, "and or xnor"),
        ("map_theta", _number, "threshold of the attention map"),
        ("membrane_bits", _whole, "2, 4 or 8"),
        (
            "alpha",
            _alpha,
            "scale of stored membranes, default 1; batch; or measured, neuron by "
            "neuron on --calibration",
        ),
        ("strides", _wholes, "1 or 2 for each convolution of a VGG net, e.g. 1,2,1,2"),
        ("mean", _numbers, "of pixels scaled to 0..1, one number or one per channel: 0.5,0.4,0.4"),
        ("std", _numbers, "likewise"),
        ("image_size", _side, "height and width, e.g. 32x32"),
        ("dt", _number, "length of a time step of a NIR graph, in the unit of its tau"),
        ("name", str, "name of the network"),
        ("weights", str, "raw or ema, where a file holds both (default: ema if complete)"),
    ):
        names = dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}"))
        p.add_argument(*names, dest=name, type=kind, metavar=name.upper(), help=text)
    return p


@command()
def main(arguments: list[str] | None = None) -> int:
    """Convert as the command line says; 0 if that went well."""
    args = vars(parser().parse_args(arguments))
    source, out, file = (args.pop(name) for name in ("checkpoint", "out", "calibration"))
    if (args["alpha"] == "measured") != (file is not None):
        raise SpikeloomError("--alpha measured and --calibration FILE belong together")
    if file is not None:
        args |= {"alpha": 1.0, "calibration": _images(file)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net, out = convert(source, out, **args)
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    print(describe(net))
    alone = out.suffix == NIR and find(source).suffix != NIR
    print(f"written: {out}" if alone else f"written: {out}, {out.with_suffix('.json')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
