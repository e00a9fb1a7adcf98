"""Damaged files for every reader: ``python -m tests.fuzz --seed S --cases N``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from hw.common.cli import command
from tests.fuzz.harness import run


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Try damaged files; 1 where any gave neither a network nor one error."""
    p = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").strip())
    p.add_argument("--seed", type=int, default=0, help="of the damage (default: %(default)s)")
    p.add_argument("--cases", type=int, default=1000, help="files (default: %(default)s)")
    p.add_argument("--kind", action="append", help="only this kind; may be given again")
    p.add_argument(
        "--keep",
        type=Path,
        default=Path("build/fuzz"),
        metavar="DIR",
        help="where files of findings are kept (default: %(default)s)",
    )
    args = p.parse_args(argv)
    with tqdm(total=args.cases, unit="file", disable=None) as bar:
        report = run(args.seed, args.cases, args.kind, args.keep, bar.update)
    for kind in sorted({kind for kind, _ in report.counts}):
        told = {v: n for (k, v), n in report.counts.items() if k == kind}
        print(f"  {kind:12} " + ", ".join(f"{n} {v}" for v, n in sorted(told.items())))
    total = sum(report.counts.values())
    print(
        f"seed {args.seed}: {total} files, {len(report.findings)} findings, "
        f"at most {report.worst:.2f} s of CPU and {report.growth / 1024:.0f} MB more"
    )
    for text in report.findings[:20]:
        print(text, file=sys.stderr)
    if report.findings:
        print(f"files of the findings: {args.keep}", file=sys.stderr)
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
