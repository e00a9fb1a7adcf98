"""State back what a checkpoint holds, and write it in this project's form.

``python -m sw.convert CHECKPOINT``: X.safetensors with each tensor once under the authors' name,
and X.json beside it with what the tensors cannot tell; ``sw.load`` needs no options for those.
A NIR graph stays one, with its X.json; ``--out X.nir`` makes one of a network without attention.
"""

import argparse
import pathlib
import sys
import warnings

import numpy as np

from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from sw.frontend.convert import convert, describe
from sw.frontend.loader import find
from sw.frontend.nir.file import SUFFIX as NIR


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
