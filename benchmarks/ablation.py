"""What each part of the papers' training brings: ``python -m benchmarks.ablation``.

BESTformer: binary baseline (one stream, one head), with reversible streams (two heads on the
labels), with distillation as well (CIE: the second head learns the decisions of the full-precision
network of the same seed), and that full-precision network. Q-SNN: without and with weight
regulation, without and with spike regulation, at 2, 4 and 8 bits of membrane. Every run sees the
same data; accuracies are of the published test split, measured once per run, with nothing chosen on
it.
"""

import argparse
import dataclasses
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import ablation_page
from benchmarks.ablation_page import FULL
from hw.common import files
from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from hw.common.options import whole

BITS = (2, 4, 8)
SEEDS = (0, 1, 2)
EPOCHS = 4
BATCH = 64
SIZE = 16  #: MNIST brought to 16 x 16 pixels.
BESTFORMER = {
    "binary baseline": "--no-reversible",
    "+ reversible": "",
    "+ reversible and distillation (CIE)": "--teacher TEACHER",
    FULL: "--no-reversible --no-binary",
}
QSNN = {
    "baseline": "--no-regulated --rate-weight 0",
    "+ weight regulation": "--rate-weight 0",
    "+ spike regulation": "--no-regulated",
    "+ both (WS-DR)": "",
}
FORM = "--embed-dim 32 --depth 1 --heads 2 --mlp-ratio 2 --steps 2 --warmup 1"
RATES = {True: "0.01", False: "0.002"}  #: Learning rate of binary and of real weights.
NET = "--widths 8 16 32 --steps 2 --lr 0.3"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run: a variant of a group, and a seed."""

    group: str  #: 'bestformer', 'qsnn 2 bits', ...
    variant: str
    seed: int
    arguments: str  #: Of ``python -m sw.train``; TEACHER stands for a path.

    @property
    def stem(self) -> str:
        """File name without suffix."""
        words = "".join(c if c.isalnum() else " " for c in f"{self.group} {self.variant}").split()
        return "-".join([*words, str(self.seed)]).lower()

    @property
    def key(self) -> str:
        """What must be equal for a result to stand for this job."""
        return f"{self.group} | {self.variant} | {self.seed} | {self.arguments}"


def jobs(seeds: Sequence[int], epochs: int, images: int) -> list[Job]:
    """All runs, teachers before their students."""
    common = f"--data mnist --size {SIZE} --batch {BATCH} --epochs {epochs} --images {images}"
    if epochs >= 10:  # of which some would round, where a network can be hardware
        common += " --rounded 0"
    found = []
    for seed in seeds:
        for variant in (FULL, *(v for v in BESTFORMER if v != FULL)):
            words = f"{common} {FORM} --lr {RATES[variant != FULL]} {BESTFORMER[variant]}"
            found.append(
                Job(
                    group="bestformer",
                    variant=variant,
                    seed=seed,
                    arguments=f"{words} --seed {seed}".replace("  ", " "),
                )
            )
    for seed in seeds:
        for bits in BITS:
            for variant, extra in QSNN.items():
                words = f"--model qsnn {common} {NET} --membrane-bits {bits} {extra} --seed {seed}"
                found.append(
                    Job(
                        group=f"qsnn {bits} bits",
                        variant=variant,
                        seed=seed,
                        arguments=words.replace("  ", " "),
                    )
                )
    return found


def run_job(job: Job, folder: Path, data_dir: Path | None) -> dict[str, Any]:
    """Train it in a process of its own, going on where it was interrupted; its result.

    By ``subprocess.run`` and not ``hw.common.process.run``, which starts a group of its own and
    kills it where we are interrupted: Ctrl-C must reach the training itself, in our group, for it
    saves its state then.
    """
    out = folder / f"{job.stem}.safetensors"
    teacher = dataclasses.replace(job, group="bestformer", variant=FULL).stem
    words = job.arguments.replace("TEACHER", str(folder / f"{teacher}.safetensors")).split()
    command = [sys.executable, "-m", "sw.train", *words, "--out", str(out), "--log", ""]
    if data_dir is not None:
        command += ["--data-dir", str(data_dir)]
    if out.with_suffix(".state.pt").exists():
        command.append("--resume")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SpikeloomError(
            f"Ablation: {shlex.join(command)} failed ({last}); mend that and run the same command "
            "again, finished runs are kept"
        )
    fields = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    return {
        "group": job.group,
        "variant": job.variant,
        "seed": job.seed,
        "test_accuracy": fields["test_accuracy"],
        "test_images": fields["test_images"],
        "validation_accuracy": fields["validation_accuracy"],
        "seconds": fields["seconds"],
        "loss": fields["history"][-1]["loss"],
        "torch": fields["torch"],
        "arguments": job.arguments,
        "key": job.key,
    }


def read_results(path: Path) -> list[dict[str, Any]]:
    """Results of earlier calls, none if there is no file."""
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["runs"]
        return [r for r in found if r["key"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpikeloomError(
            f"{path}: holds no results ({error}); delete it, or give another --out"
        ) from error


def write(runs: list[dict[str, Any]], out: Path, command: str) -> None:
    """Write the numbers, the page and the picture, each atomically."""
    files.write_json(out / "ablation.json", {"command": command, "runs": runs})
    if runs:
        files.write(out / "ablation.png", ablation_page.picture(runs))
        files.write(
            out / "ablation.md", ablation_page.markdown(runs, command, SIZE, "ablation.png")
        )


def parser() -> argparse.ArgumentParser:
    """Command line options."""
    p = argparse.ArgumentParser(
        prog=prog("benchmarks.ablation"),
        description="Train all variants of both families on MNIST with several seeds, and write "
        "ablation.md, .png and .json. Finished runs are kept and interrupted ones go on: run the "
        "same command again.",
    )
    add = p.add_argument
    add("--out", type=Path, default=Path("build/ablation"), help="folder (default: %(default)s)")
    add(
        "--work",
        type=Path,
        default=Path("build/ablation/runs"),
        help="folder of the trained networks (default: %(default)s)",
    )
    add(
        "--seeds", type=whole("a seed", 0, 0), nargs="+", default=list(SEEDS), help="default: 0 1 2"
    )
    add(
        "--epochs",
        type=whole("a number of epochs", EPOCHS, 1),
        default=EPOCHS,
        help="of each run (default: %(default)s)",
    )
    add(
        "--images",
        type=whole("a number of images", 30000, 0),
        default=0,
        help="training images used; 0 for all (default)",
    )
    add("--only", choices=["bestformer", "qsnn"], help="one family")
    add(
        "--jobs",
        type=whole("a number of runs", 2, 1),
        default=2,
        help="runs at a time, one thread each (default: 2)",
    )
    add("--data-dir", type=Path, help="folder that holds MNIST's files")
    return p


def run(arguments: list[str]) -> None:
    """Do as the command line says."""
    args = parser().parse_args(arguments)
    from tqdm import tqdm

    from sw.data import load

    load("mnist", SIZE, args.data_dir)  # says at once if it is missing
    for folder in (args.work, args.out):
        with files.disk_errors(folder, "choose another --work and --out"):
            folder.mkdir(parents=True, exist_ok=True)
    wanted = [
        j
        for j in jobs(args.seeds, args.epochs, args.images)
        if args.only is None or j.group.startswith(args.only)
    ]
    kept = {r["key"]: r for r in read_results(args.out / "ablation.json")}
    line = shlex.join(["python", "-m", "benchmarks.ablation", *arguments])

    def results() -> list[dict[str, Any]]:
        return [kept[j.key] for j in wanted if j.key in kept]

    left = [j for j in wanted if j.key not in kept]
    bar = tqdm(
        total=len(wanted),
        initial=len(wanted) - len(left),
        unit="run",
        dynamic_ncols=True,
        disable=None,
    )
    with bar, ThreadPoolExecutor(max(args.jobs, 1)) as pool:
        try:
            for stage in (True, False):  # teachers first
                batch = [j for j in left if (j.variant == FULL) == stage]
                started = [pool.submit(run_job, j, args.work, args.data_dir) for j in batch]
                for future in as_completed(started):
                    result = future.result()
                    kept[result["key"]] = result
                    write(results(), args.out, line)
                    bar.set_postfix_str(
                        f"{result['group']}, {result['variant']}: {result['test_accuracy']:.2%}"
                    )
                    bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    write(results(), args.out, line)
    print(f"{args.out / 'ablation.md'}: {len(wanted)} runs")


@command("interrupted; the same command goes on")
def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 for a mistake, 2 for usage, 130 interrupted."""
    run(list(sys.argv[1:] if argv is None else argv))
    return 0


if __name__ == "__main__":
    sys.exit(main())
