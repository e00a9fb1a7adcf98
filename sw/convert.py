"""State back what a checkpoint holds, and write it in this project's form.

``python -m sw.convert CHECKPOINT``: X.safetensors with each tensor once under the authors' name,
and X.json beside it with what the tensors cannot tell; ``sw.load`` needs no options for those.
"""

import argparse
import json
import pathlib
import sys
import warnings
from typing import Any

from hw.arch.errors import SpikeloomError
from sw.frontend import load
from sw.frontend.files import read_sidecar, read_state
from sw.frontend.loader import find
from sw.frontend.qsnn_keys import unify
from sw.graph import LIF, Conv, FloatNetwork, Linear, Similarity

LABELS = ("data", "test_acc", "preprocess")


def convert(
    source: str | pathlib.Path, out: pathlib.Path | None = None, **options: Any
) -> tuple[FloatNetwork, pathlib.Path]:
    """Load ``source`` and write it.

    Parameters
    ----------
    source : name of a shipped network, or path of a weight file.
    out : path that ends in .safetensors; default build/convert/NAME.safetensors.
    options : as for ``sw.load``.

    Returns
    -------
    tuple
        The network and the path written.
    """
    net = load(source, **options)
    out = out or pathlib.Path("build/convert") / f"{net.name}.safetensors"
    if out.suffix != ".safetensors":
        raise SpikeloomError(
            f"{out}: ends in {out.suffix!r}, wanted '.safetensors'; name the output so"
        )
    path = find(source)
    if out.exists() and out.samefile(path):
        raise SpikeloomError(f"{out}: is the checkpoint itself; give another --out")
    try:
        import safetensors.numpy
    except ImportError:
        raise SpikeloomError(
            "Writing safetensors needs its package; pip install safetensors"
        ) from None
    state, _ = unify(read_state(path))
    side = read_sidecar(path)
    fields = {**settings(net), **{k: side[k] for k in LABELS if k in side}}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(safetensors.numpy.save(dict(sorted(state.items()))))
        out.with_suffix(".json").write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SpikeloomError(
            f"{out}: cannot be written ({error.strerror or error}); check space and permissions"
        ) from error
    return net, out


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
    for node in net.nodes:
        match node:
            case Similarity():
                theta = neurons[node.name].theta
                told = {"attention": node.order, "similarity": node.similarity, "map_theta": theta}
                fields |= told
            case LIF() if node.state_bits is not None:
                fields["membrane_bits"] = node.state_bits
                fields["membrane_alpha"] = "batch" if node.alpha is None else node.alpha
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
    skipped = ("name", "image_size")
    told = {k: v for k, v in settings(net).items() if k not in skipped}
    told |= {k: v for k, v in net.meta.items() if k not in ("source", "family", *told, *LABELS)}
    return "\n".join([*lines, *(f"  {key:16s} {_text(value)}" for key, value in told.items())])


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _wholes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.replace("x", ",").split(","))


def _side(text: str) -> int | tuple[int, ...]:
    sides = _wholes(text)
    return sides[0] if len(sides) == 1 else sides


def _alpha(text: str) -> float | str:
    return text if text == "batch" else float(text)


def parser() -> argparse.ArgumentParser:
    """Command line."""
    p = argparse.ArgumentParser(
        prog="python -m sw.convert", description=(__doc__ or "").split("\n")[0]
    )
    p.add_argument("checkpoint", metavar="CHECKPOINT", help="a weight file, or a shipped name")
    p.add_argument("--out", type=pathlib.Path, help="default build/convert/NAME.safetensors")
    for name, kind, text in (
        ("heads", int, "attention heads H"),
        ("steps", int, "time steps T"),
        ("attention", str, "qk or kv"),
        ("similarity", str, "and or xnor"),
        ("map_theta", float, "threshold of the attention map"),
        ("membrane_bits", int, "2, 4 or 8"),
        ("alpha", _alpha, "scale of stored membranes, default 1, or batch"),
        ("strides", _wholes, "1 or 2 for each convolution of a VGG net, e.g. 1,2,1,2"),
        ("mean", _numbers, "of pixels scaled to 0..1, one number or one per channel: 0.5,0.4,0.4"),
        ("std", _numbers, "likewise"),
        ("image_size", _side, "height and width, e.g. 32x32"),
        ("name", str, "name of the network"),
    ):
        names = dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}"))
        p.add_argument(*names, dest=name, type=kind, metavar=name.upper(), help=text)
    return p


def main(arguments: list[str] | None = None) -> int:
    """Convert as the command line says; 0 if that went well."""
    args = vars(parser().parse_args(arguments))
    source, out = args.pop("checkpoint"), args.pop("out")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            net, out = convert(source, out, **args)
    except SpikeloomError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    print(describe(net))
    print(f"written: {out}, {out.with_suffix('.json')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
