"""What each part of the papers' training brings: ``python -m sw.train.ablation``.

BESTformer: binary baseline (one stream, one head), with reversible streams (two heads on the
labels), with distillation as well (CIE: the second head learns the decisions of the full-precision
network of the same seed), and that full-precision network. Q-SNN: without and with weight
regulation, without and with spike regulation, at 2, 4 and 8 bits of membrane. Every run sees the
same data; accuracies are of the published test split, measured once per run, with nothing chosen on
it.
"""

import argparse
import dataclasses
import io
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.common import files
from hw.common.cli import command
from hw.common.errors import SpikeloomError
from hw.common.options import whole

BITS = (2, 4, 8)
SEEDS = (0, 1, 2)
EPOCHS = 4
BATCH = 64
SIZE = 16  #: MNIST brought to 16 x 16 pixels.
FULL = "full precision"
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
#: The papers' orderings: what is said to be worse, what is said to be better.
CLAIMS = (
    ("bestformer", "binary baseline", "+ reversible"),
    ("bestformer", "+ reversible", "+ reversible and distillation (CIE)"),
    ("bestformer", "binary baseline", "+ reversible and distillation (CIE)"),
    ("bestformer", "+ reversible and distillation (CIE)", FULL),
    *(
        (f"qsnn {bits} bits", worse, better)
        for bits in BITS
        for worse, better in (
            ("baseline", "+ weight regulation"),
            ("baseline", "+ spike regulation"),
            ("+ weight regulation", "+ both (WS-DR)"),
            ("+ spike regulation", "+ both (WS-DR)"),
            ("baseline", "+ both (WS-DR)"),
        )
    ),
)


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
    """Train it in a process of its own, going on where it was interrupted; its result."""
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


def summary(runs: list[dict[str, Any]]) -> dict[tuple[str, str], dict[int, float]]:
    """Accuracy in percent by group and variant, then by seed."""
    table: dict[tuple[str, str], dict[int, float]] = {}
    for r in runs:
        table.setdefault((r["group"], r["variant"]), {})[r["seed"]] = 100 * r["test_accuracy"]
    return table


def spread(values: Sequence[float]) -> float:
    """Standard deviation over seeds (n - 1), 0 of one."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


def verdict(worse: dict[int, float], better: dict[int, float]) -> tuple[str, float, float]:
    """Whether an ordering holds: the word, mean and deviation of the differences by seed.

    It holds (or is reversed) where the mean difference is above (below) the standard error of
    the differences twice over, and drowns in the spread otherwise.
    """
    gaps = [better[s] - worse[s] for s in sorted(worse.keys() & better.keys())]
    if len(gaps) < 2:
        return "one seed says nothing", gaps[0] if gaps else math.nan, 0.0
    mean, sigma = statistics.mean(gaps), spread(gaps)
    limit = 2 * sigma / math.sqrt(len(gaps))
    if mean > limit:
        return "holds", mean, sigma
    return ("reversed" if mean < -limit else "drowns in the spread"), mean, sigma


def markdown(runs: list[dict[str, Any]], command: str, picture: str) -> str:
    """The page."""
    table = summary(runs)
    seeds = sorted({r["seed"] for r in runs})
    minutes = sum(r["seconds"] for r in runs) / 60
    lines = [
        "# Ablation",
        "",
        "What each part of the two papers' training brings, on MNIST at "
        f"{SIZE}x{SIZE} pixels and networks small enough to train in a minute. Made by",
        "",
        "```sh",
        command,
        "```",
        "",
        f"{len(runs)} runs, seeds {', '.join(map(str, seeds))}, {minutes:.0f} minutes of one core "
        f"in all; each run with its command is in [ablation.json](ablation.json). Accuracy in per "
        f"cent of all {runs[0]['test_images']} test images, the networks as floats; mean and "
        "standard deviation over seeds. Nothing was chosen on the test split.",
        "",
        f"![accuracies]({picture})",
        "",
    ]
    for group in dict.fromkeys(g for g, _ in table):
        heads = " | ".join(f"seed {s}" for s in seeds)
        lines += [
            f"## {group}",
            "",
            f"| training | mean | spread | {heads} |",
            f"|---|---|---|{'---|' * len(seeds)}",
        ]
        for variant in [v for g, v in table if g == group]:
            values = table[group, variant]
            cells = [f"{values[s]:.2f}" if s in values else "" for s in seeds]
            held = list(values.values())
            lines.append(
                f"| {variant} | {statistics.mean(held):.2f} | {spread(held):.2f} | "
                f"{' | '.join(cells)} |"
            )
        lines.append("")
    lines += [
        "## The papers' orderings",
        "",
        "Differences in points, seed by seed. An ordering holds where their mean is above "
        "twice its standard error, is reversed where it is below minus that, and drowns in "
        "the spread otherwise.",
        "",
        "| networks | worse, says the paper | better, says the paper | difference | here |",
        "|---|---|---|---|---|",
    ]
    for group, worse, better in CLAIMS:
        if (group, worse) in table and (group, better) in table:
            word, mean, sigma = verdict(table[group, worse], table[group, better])
            lines.append(f"| {group} | {worse} | {better} | {mean:+.2f} ± {sigma:.2f} | {word} |")
    return "\n".join(lines) + "\n"


def picture(runs: list[dict[str, Any]]) -> bytes:
    """PNG: every run a dot, every mean a bar."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    table = summary(runs)
    groups = list(dict.fromkeys(g for g, _ in table))
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, group in zip(panels, groups, strict=True):
        variants = [v for g, v in table if g == group]
        for i, variant in enumerate(variants):
            values = list(table[group, variant].values())
            axes.plot([i] * len(values), values, "o", color="tab:blue", alpha=0.6, markersize=4)
            axes.hlines(statistics.mean(values), i - 0.3, i + 0.3, color="tab:orange", linewidth=2)
        axes.set_title(group, fontsize=10)
        axes.set_xticks(range(len(variants)), variants, rotation=35, ha="right", fontsize=7)
        axes.grid(axis="y", alpha=0.3)
    panels[0].set_ylabel("test accuracy, %")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def write(runs: list[dict[str, Any]], out: Path, command: str) -> None:
    """Write the numbers, the page and the picture, each atomically."""
    files.write_json(out / "ablation.json", {"command": command, "runs": runs})
    if runs:
        files.write(out / "ablation.png", picture(runs))
        files.write(out / "ablation.md", markdown(runs, command, "ablation.png"))


def parser() -> argparse.ArgumentParser:
    """Command line options."""
    p = argparse.ArgumentParser(
        prog="python -m sw.train.ablation",
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
    line = shlex.join(["python", "-m", "sw.train.ablation", *arguments])

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
