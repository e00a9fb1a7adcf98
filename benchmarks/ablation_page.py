"""The ablation's page: tables, the papers' orderings with a verdict on each, and a picture.

A run is a dictionary as ``benchmarks.ablation.run_job`` gives it.
"""

import io
import math
import statistics
from collections.abc import Sequence
from typing import Any

FULL = "full precision"  #: The variant that is no binary network.
#: The papers' orderings: what is said to be worse, what is said to be better.
CLAIMS = (
    ("bestformer", "binary baseline", "+ reversible"),
    ("bestformer", "+ reversible", "+ reversible and distillation (CIE)"),
    ("bestformer", "binary baseline", "+ reversible and distillation (CIE)"),
    ("bestformer", "+ reversible and distillation (CIE)", FULL),
    *(
        (f"qsnn {bits} bits", worse, better)
        for bits in (2, 4, 8)
        for worse, better in (
            ("baseline", "+ weight regulation"),
            ("baseline", "+ spike regulation"),
            ("+ weight regulation", "+ both (WS-DR)"),
            ("+ spike regulation", "+ both (WS-DR)"),
            ("baseline", "+ both (WS-DR)"),
        )
    ),
)


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


def markdown(runs: list[dict[str, Any]], command: str, size: int, picture: str) -> str:
    """The page of ``runs``, images of ``size`` pixels a side, that ``command`` made."""
    table = summary(runs)
    seeds = sorted({r["seed"] for r in runs})
    minutes = sum(r["seconds"] for r in runs) / 60
    lines = [
        "# Ablation",
        "",
        "What each part of the two papers' training brings, on MNIST at "
        f"{size}x{size} pixels and networks small enough to train in a minute. Made by",
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
