"""``python -m sw.data``: list and fetch data sets."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from sw.data.catalogue import NAMES, SOURCES, Source
from sw.data.digits import INSTALL
from sw.data.fetch import fetch, is_present, source_of, verify
from sw.data.store import cache_folder


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    p = argparse.ArgumentParser(
        prog=prog("sw.data"),
        description="List data sets, or fetch them into the cache: $SPIKELOOM_CACHE/data, else "
        "$XDG_CACHE_HOME/spikeloom/data, else ~/.cache/spikeloom/data. An interrupted fetch goes "
        "on where it ended.",
    )
    p.add_argument("command", choices=["list", "fetch"], help="what to do")
    p.add_argument("names", metavar="NAME", nargs="*", help=f"data sets: {', '.join(NAMES)}")
    add = p.add_argument
    add(
        "--data-dir",
        type=Path,
        metavar="D",
        help="a folder of yours that has the files: it is checked, never written to, "
        "and nothing is fetched",
    )
    add(
        "--mirror",
        metavar="URL",
        help="fetch from this base address first; it has the files under their published names",
    )
    return p


class _Bar:
    """A progress bar for one file after another."""

    def __init__(self):
        self.bar, self.name = None, ""

    def __call__(self, name: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if self.bar is None or name != self.name or done < self.bar.n:
            self.close()
            self.name = name
            # What arrived in an earlier run does not count towards this one's speed.
            self.bar = tqdm(
                desc=name,
                initial=done,
                total=total or None,
                unit="B",
                unit_scale=True,
                dynamic_ncols=True,
                disable=None,
            )
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        """End the bar, where one was begun."""
        if self.bar is not None:
            self.bar.close()


def _is_present(source: Source, data_dir: Path | None) -> bool:
    """Return whether a data set can be loaded as things are."""
    if source.kind == "embedded":
        return importlib.util.find_spec("sklearn") is not None
    return is_present(source, data_dir)


def _list(names: Sequence[str], data_dir: Path | None) -> None:
    """Print a line for each data set: sizes, download, whether it is here."""
    print(f"{'name':14} {'train':>6} {'test':>6}  {'image':9}  {'download':>8}  present")
    for source in (source_of(name) for name in names or NAMES):
        image = "x".join(map(str, source.shape))
        if source.kind in ("events", "sequences"):
            image = f"Tx{image}"
        size = sum(f.size for f in source.files)
        if source.kind == "embedded":
            download = "none"
        else:
            size = source.wheel.file.size if source.wheel else size
            download = f"{size / 1e6:.0f} MB" if size else "GBs"
        present = "yes" if _is_present(source, data_dir) else "no"
        print(
            f"{source.name:14} {source.train:6} {source.test:6}  {image:9}  {download:>8}  "
            f"{present:7}  {source.title}"
        )
    print(f"in {data_dir or cache_folder()}")


@command("interrupted; the same command goes on from what has arrived")
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, 1 for a mistake, 2 for wrong usage, 130 when interrupted."""
    p = _parser()
    args = p.parse_args(argv)
    if args.command == "fetch" and not args.names:
        p.error(f"fetch what? Name one or more of {', '.join(NAMES)}")
    if args.mirror is not None and (args.command == "list" or args.data_dir is not None):
        p.error("--mirror goes with fetch alone, without --data-dir")
    for name in args.names:
        source_of(name)
    if args.data_dir is not None and not args.data_dir.is_dir():
        raise SpikeloomError(
            f"--data-dir {args.data_dir} is no folder; name the one that holds the files"
        )
    if args.command == "list":
        _list(args.names, args.data_dir)
        return 0
    for name in args.names:
        if SOURCES[name].kind == "embedded":
            cure = "" if _is_present(SOURCES[name], None) else f"; {INSTALL}"
            print(f"{name}: lies inside scikit-learn, nothing to fetch{cure}")
        elif args.data_dir is not None:
            verify(name, args.data_dir)
            print(f"{name}: whole in {args.data_dir}")
        else:
            before, bar = is_present(SOURCES[name]), _Bar()
            try:
                folder = fetch(name, mirror=args.mirror, progress=bar)
            finally:
                bar.close()
            if before and bar.bar is None:
                print(f"{name}: was whole already in {folder}, nothing fetched")
            else:
                print(f"{name}: fetched, whole in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
