"""Command line of `sw.train`: trains a BESTformer and writes its checkpoint."""

import argparse
import shlex
import sys
from pathlib import Path

from hw.arch.errors import SpikeloomError


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m sw.train",
        description="Train a binary event-driven spiking transformer (BESTformer) and write "
        "X.safetensors with X.json beside it. Ctrl-C or a kill leaves a state file from which "
        "--resume continues to the same weights. Both heads learn the labels; the prediction is "
        "the mean of both.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = p.add_argument
    add("--data", default="digits", choices=["digits"], help="data set")
    add("--out", type=Path, default=Path("build/train/digits.safetensors"), help="checkpoint")
    add("--resume", action="store_true", help="continue the interrupted run that writes --out")
    add("--compact", action="store_true", help="store binary layers as int8 -1/+1")
    model = p.add_argument_group("model")
    add = model.add_argument
    add("--variant", default="cifar", choices=["cifar", "imagenet"], help="tokenizer")
    add("--attention", default="qk", choices=["qk", "kv"], help="product with the binary map")
    add("--similarity", default="and", choices=["and", "xnor"], help="of q and k")
    add("--theta", type=float, help="threshold of the XNOR map, d / 2 + 1 if not given")
    add("--size", type=int, default=16, help="image height and width in pixels")
    add("--embed-dim", type=int, default=64, help="channels D")
    add("--depth", type=int, default=2, help="encoder blocks")
    add("--heads", type=int, default=4, help="attention heads H")
    add("--mlp-ratio", type=int, default=4, help="hidden width of the MLP in units of D")
    add("--steps", type=int, default=4, help="time steps T")
    add("--mean", type=float, default=0.0, help="x = (pixel / 255 - mean) / std")
    add("--std", type=float, default=1.0, help="x = (pixel / 255 - mean) / std")
    run = p.add_argument_group("run")
    add = run.add_argument
    add("--seed", type=int, default=0, help="decides initial weights, order and augmentation")
    add("--epochs", type=int, default=50, help="passes over the training images")
    add("--batch", type=int, default=32, help="images per update")
    add("--lr", type=float, default=3e-2, help="peak learning rate of AdamW, then cosine to 0")
    add("--warmup", type=int, default=5, help="epochs of linear warm-up")
    add("--weight-decay", type=float, default=0.06, help="of convolution and linear weights")
    add("--label-smoothing", type=float, default=0.1, help="of the cross-entropy")
    add("--augment", type=float, default=0.6, help="strength of augmentation, 0 for none")
    add("--validation", type=int, default=237, help="training images held out and measured")
    return p


def run(arguments: list[str]) -> None:
    """Train as the command line ``arguments`` say, with a progress bar on stderr."""
    args = _parser().parse_args(arguments)

    from sw.models.config import BestformerConfig  # torch only from here on: --help needs none
    from sw.train.loop import train
    from sw.train.options import TrainOptions

    try:
        from tqdm import tqdm
    except ModuleNotFoundError as error:
        raise SpikeloomError(
            "sw.train needs tqdm, which is not installed: run pip install -e '.[train]'"
        ) from error
    config = BestformerConfig(
        height=args.size, width=args.size, channels=1, classes=10, mean=(args.mean,),
        std=(args.std,),
        **{
            k: getattr(args, k)
            for k in (
                "variant", "attention", "similarity", "theta", "embed_dim", "depth", "heads",
                "mlp_ratio", "steps",
            )
        },
    )  # fmt: skip
    options = TrainOptions(
        config=config,
        **{
            k: getattr(args, k)
            for k in (
                "data", "seed", "epochs", "batch", "lr", "warmup", "weight_decay",
                "label_smoothing", "augment", "validation",
            )
        },
    )  # fmt: skip
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
            options, args.out, resume=args.resume, compact=args.compact, report=report,
            command=command,
        )  # fmt: skip
    n, wrong = result.notes["test_images"], result.notes["test_wrong"]
    print(f"{args.out}: test accuracy {100 * result.test_accuracy:.2f} % ({wrong} of {n} wrong)")


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
