"""Command line of `sw.train`: trains a BESTformer or a Q-SNN and writes its checkpoint."""

import argparse
import shlex
import sys
from pathlib import Path

from hw.arch.errors import SpikeloomError
from sw.train.arguments import FAMILIES, MODEL, RUN, add_options, given

OUT = {
    "bestformer": "build/train/digits.safetensors",
    "qsnn": "build/train/digits-qsnn.safetensors",
}


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m sw.train",
        description="Train a binary event-driven spiking transformer (BESTformer) or a quantised "
        "spiking network (Q-SNN) and write X.safetensors with X.json beside it. Ctrl-C or a kill "
        "leaves a state file from which --resume continues to the same weights.",
    )
    add = p.add_argument
    add("--model", default=FAMILIES[0], choices=FAMILIES,
        help=f"family (default: {FAMILIES[0]}); the prediction is that of the mean of a "
        "BESTformer's two heads, which both learn the labels, or of a Q-SNN's steps")  # fmt: skip
    outs = ", ".join(f"{family} {path}" for family, path in OUT.items())
    add("--out", type=Path, help=f"checkpoint (default: {outs})")
    add("--resume", action="store_true", help="continue the interrupted run that writes --out")
    add("--compact", action="store_true", help="store binary layers as int8")
    add_options(p)
    return p


def run(arguments: list[str]) -> None:
    """Train as the command line ``arguments`` say, with a progress bar on stderr."""
    args = _parser().parse_args(arguments)
    model, settings = given(args, MODEL), given(args, RUN)

    from sw.models import BestformerConfig, QsnnConfig  # torch from here on: --help needs none
    from sw.train.loop import train
    from sw.train.options import QsnnOptions, TrainOptions

    try:
        from tqdm import tqdm
    except ModuleNotFoundError as error:
        raise SpikeloomError(
            "sw.train needs tqdm, which is not installed: run pip install -e '.[train]'"
        ) from error
    if "size" in model:
        model["height"] = model["width"] = model.pop("size")
    for name in ("mean", "std"):
        if name in model:
            model[name] = (model[name],)
    options: TrainOptions
    if args.model == "qsnn":
        options = QsnnOptions(config=QsnnConfig(**model), **settings)
    else:
        options = TrainOptions(config=BestformerConfig(**model), **settings)
    out = args.out or Path(OUT[args.model])
    with tqdm(total=options.epochs, unit="epoch", dynamic_ncols=True) as bar:

        def report(progress: dict) -> None:
            epoch = progress.pop("epoch")
            if progress:
                bar.set_postfix({k: f"{v:.4f}" for k, v in progress.items()}, refresh=False)
                bar.update(epoch - bar.n)
            else:  # epochs of an earlier run do not count towards this one's speed
                bar.initial = bar.n = epoch
                bar.refresh()

        command = shlex.join(["python", "-m", "sw.train", *arguments])
        result = train(
            options, out, resume=args.resume, compact=args.compact, report=report,
            command=command,
        )  # fmt: skip
    n, wrong = result.notes["test_images"], result.notes["test_wrong"]
    print(f"{out}: test accuracy {100 * result.test_accuracy:.2f} % ({wrong} of {n} wrong)")


def main() -> int:
    """Exit status: 0, 1 for a mistake or an interruption, 2 for usage."""
    try:
        run(sys.argv[1:])
    except SpikeloomError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command with --resume continues", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
