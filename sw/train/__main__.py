"""Command line of `sw.train`: trains a network of any family and writes its checkpoint."""

import argparse
import math
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from hw.common.options import real
from sw import families
from sw.data.catalogue import SOURCES
from sw.families import Family
from sw.families.options import WARMUP, TrainOptions
from sw.train.arguments import add_options, given
from sw.train.memory import keep_memory

UNFINISHED = 3  #: Exit status of a run that --minutes ended.


def _parser() -> argparse.ArgumentParser:
    names = [family.name for family in families.trained()]
    training = [f.training for f in families.trained() if f.training is not None]
    p = argparse.ArgumentParser(
        prog=prog("sw.train"),
        description=f"Train {' or '.join(t.summary for t in training)} and write X.safetensors "
        "with X.json beside it. Ctrl-C or a kill leaves a state file from which --resume continues "
        "to the same weights.",
    )
    add = p.add_argument
    add(
        "--model",
        default=names[0],
        choices=names,
        help=f"family (default: {names[0]}); the prediction is that of "
        f"{', or of '.join(t.predicts for t in training)}",
    )
    add("--out", type=Path, help="checkpoint (default: build/train/DATA-MODEL.safetensors)")
    add("--resume", action="store_true", help="continue the interrupted run that writes --out")
    add(
        "--minutes",
        type=real("a number of minutes", 50, above=0),
        metavar="M",
        help="end after M minutes with the state saved and exit status 3; the same command goes on "
        "until the run is through, then it does nothing",
    )
    add("--compact", action="store_true", help="store binary layers as int8")
    add("--data-dir", type=Path, metavar="D", help="folder that holds the data set's files")
    add("--device", default="auto", help="cpu, cuda, cuda:N or auto (default)")
    add(
        "--log",
        "--tensorboard",
        type=Path,
        metavar="DIR",
        help="folder of the TensorBoard log and curves.png (default: runs/NAME, '' for none)",
    )
    add_options(p)
    return p


def _filled(model: dict[str, Any], name: str, family: Family) -> dict[str, Any]:
    """Fields of a configuration, with those that the data set settles."""
    if name not in SOURCES:
        raise SpikeloomError(f"Data set {name!r} is unknown, wanted one of {', '.join(SOURCES)}")
    source = SOURCES[name]
    if source.kind == "sequences":
        if family.training is None or not family.training.streams:
            able = [f.name for f in families.trained() if f.training and f.training.streams]
            raise SpikeloomError(
                f"Data set {name!r} has sequences, which {family.title} is not trained on; choose "
                f"--model {' or '.join(able)}"
            )
        model.setdefault("steps", source.frames)
        model["stream"] = True
    side = model.pop("size", 16 if name == "digits" else source.shape[-1])
    model.setdefault("channels", source.shape[0])
    model.setdefault("classes", len(source.classes))
    for field in ("mean", "std"):
        if field in model:
            model[field] = (model[field],) * model["channels"]
    return {**model, "height": side, "width": side}


class _Watch:
    """Says when to pause: after some minutes, or after Ctrl-C or a request to end."""

    def __init__(self, minutes: float | None):
        self.end = math.inf if minutes is None else time.monotonic() + 60 * minutes
        self.asked = False

    def __call__(self) -> bool:
        return self.asked or time.monotonic() > self.end

    def __enter__(self) -> "_Watch":
        self.before = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _ask(self, *_: object) -> None:
        if self.asked:  # the second time at once: what was saved last counts
            raise KeyboardInterrupt
        self.asked = True


def _tell_warmup(options: TrainOptions) -> None:
    """Say what warm-up a short run has, so that nobody takes a rate never reached for the peak."""
    warms, epochs = options.warms, options.epochs
    if options.warmup is None and warms < WARMUP:
        print(
            f"warm-up: {warms:g} of {epochs} epochs, a fifth (--warmup sets another)",
            file=sys.stderr,
        )
    elif warms >= epochs:
        print(
            f"warning: --warmup {warms:g} of {epochs} epochs: the learning rate never reaches its "
            f"peak; give more --epochs, or --warmup {epochs / 5:g}",
            file=sys.stderr,
        )


def run(arguments: list[str]) -> int:
    """Train as the command line ``arguments`` say, with a progress bar on stderr; exit status."""
    args = _parser().parse_args(arguments)
    family = next(family for family in families.trained() if family.name == args.model)
    assert family.training is not None
    model, settings = given(args, family)
    name = settings.setdefault("data", "digits")
    model = _filled(model, name, family)

    import sw.nn  # noqa: F401  # torch from here on, which --help does not need
    from sw.train.loop import finished, state_path, train

    keep_memory()
    config = family.training.config(**model)
    options = family.training.options(config=config, **settings)
    out = args.out or Path("build/train") / f"{name}-{args.model}.safetensors"
    log = Path("runs") / out.stem if args.log is None else args.log
    resume = args.resume
    if args.minutes is not None and not resume:
        resume = state_path(out).exists()
    if (resume or args.minutes is not None) and not state_path(out).exists():
        if finished(options, out):
            print(f"{out}: this run is through already; nothing was done")
            return 0
    quiet = int(os.environ.get("RANK", 0)) > 0
    if not quiet:
        _tell_warmup(options)
    words = [a for a in arguments if a != "--resume"]  # goes on to the same weights
    command = shlex.join(["python", "-m", "sw.train", *words])
    with (
        _Watch(args.minutes) as watch,
        tqdm(
            total=options.epochs,
            unit="epoch",
            dynamic_ncols=True,
            disable=quiet or None,
            bar_format="{l_bar}{bar}| {n:.2f}/{total} [{elapsed}<{remaining}{postfix}]",
        ) as bar,
    ):

        def report(progress: dict) -> None:
            epoch = progress.pop("epoch")
            of = progress.pop("of", None)
            if progress:
                shown = {k: f"{v:.4f}" for k, v in progress.items()}
                bar.set_postfix({**shown, **({"of": of} if of else {})}, refresh=False)
                bar.update(epoch - bar.n)
                if bar.disable and not quiet:  # no terminal: a line per epoch instead of a bar
                    whose = f"{of}, " if of else ""
                    values = ", ".join(f"{k} {v}" for k, v in shown.items())
                    print(f"{whose}epoch {epoch} of {bar.total}: {values}", file=sys.stderr)
            else:  # epochs of an earlier run do not count towards this one's speed
                bar.total = (options.teacher_epochs or options.epochs) if of else options.epochs
                bar.reset(bar.total)
                bar.initial = bar.n = epoch
                bar.refresh()

        def tick(epochs: float) -> None:
            bar.update(epochs - bar.n)

        result = train(
            options,
            out,
            resume=resume,
            compact=args.compact,
            report=report,
            command=command,
            data_dir=args.data_dir,
            device=args.device,
            log=log if str(log) != "." else None,
            pause=watch,
            tick=tick,
        )
    if result is None:
        if watch.asked:
            raise KeyboardInterrupt
        print(f"{out}: not through after {args.minutes:g} minutes; the same command goes on")
        return UNFINISHED
    if not quiet:
        n, wrong = result.notes["test_images"], result.notes["test_wrong"]
        print(f"{out}: test accuracy {100 * result.test_accuracy:.2f} % ({wrong} of {n} wrong)")
        logged = "" if str(log) == "." else f"; log and curves in {log}"
        print(f"wrote {out} and {out.with_suffix('.json')}{logged}")
    return 0


@command("interrupted; the same command with --resume continues")
def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 for a mistake, 2 for usage, 3 for not through yet, 130 interrupted."""
    return run(list(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    sys.exit(main())
