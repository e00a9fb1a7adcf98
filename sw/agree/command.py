"""Command line of ``python -m sw.agree``."""

import argparse
import contextlib
import pathlib
from collections.abc import Callable, Iterator

import sw
from hw.common.cli import command, prog
from hw.common.options import whole
from sw.agree.alpha import alpha_table
from sw.agree.measure import Reference, sweep
from sw.agree.splits import data_split, fixture
from sw.api import FloatNetwork
from sw.data.catalogue import NAMES
from sw.lower import HEAD_WEIGHT_BITS

NETWORK = 3  #: Exit status where every layer agrees and the network as a whole does not.


def parser() -> argparse.ArgumentParser:
    """Command line options."""
    p = argparse.ArgumentParser(
        prog=prog("sw.agree"), description="Agreement of float and integer network."
    )
    p.add_argument("model", nargs="?", help="shipped name or weight file; default: the fixture's")
    where = p.add_mutually_exclusive_group()
    where.add_argument("--data", help="test split of this data set (default: the network's own)")
    where.add_argument("--fixture", type=pathlib.Path, help="FOLDER/NAME of a fixture")
    p.add_argument("--sweep", action="store_true", help="also 8 to 16 bit first and last weights")
    p.add_argument("--alpha", action="store_true", help="also what freezing alpha costs")
    p.add_argument("--zero-weights", choices=["refuse", "plus", "minus"], default="refuse")
    p.add_argument("--frac-bits", type=whole("a number of bits", 8, 0))
    p.add_argument("--pixel-weight-bits", type=whole("a number of bits", 14, 1))
    p.add_argument(
        "--head-weight-bits", type=whole("a number of bits", 8, 1), default=HEAD_WEIGHT_BITS
    )
    return p


def _own(net: FloatNetwork) -> str:
    """The network's own data set, or the digits where it does not say."""
    data = net.meta.get("data")
    return data if data in NAMES else "digits"


def _one_thread() -> None:
    """Small tensors gain nothing from threads, and on a busy machine lose tenfold."""
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)


@contextlib.contextmanager
def _bar(images: int) -> Iterator[Callable[[int], object]]:
    """What to tell the images done to: a bar on a terminal, once it takes longer than a second."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        yield lambda done: None
        return
    with tqdm(total=images, unit="image", delay=1, leave=False, disable=None) as bar:
        yield bar.update


@command()
def main(arguments: list[str] | None = None) -> int:
    """Print the agreement.

    Exit status 0 if every floor is met, 1 if layers disagree (or for a mistake), 3 if every layer
    agrees and only the network as a whole does not.
    """
    p = parser()
    args = p.parse_args(arguments)
    if args.model is None and args.fixture is None:
        p.error("give MODEL or --fixture FOLDER/NAME")
    stem = args.fixture
    model = args.model or stem.with_name(stem.name + ".weights.npz")
    net = sw.load(model)
    if stem is None and args.data is None and str(model).endswith(".weights.npz"):
        path = pathlib.Path(model)
        stem = path.with_name(path.name.removesuffix(".weights.npz"))
    split = fixture(stem, net) if stem else data_split(net, args.data or _own(net))
    _one_thread()
    formats = {
        "zero_weights": args.zero_weights,
        "frac_bits": args.frac_bits,
        "pixel_weight_bits": args.pixel_weight_bits,
        "head_weight_bits": args.head_weight_bits,
    }
    network = net.lower(size=split.images.shape[-2:], per_step=split.images.ndim == 5, **formats)
    with _bar(2 * len(split.images)) as tell:
        reference = Reference(net, split.images, split.labels, split.stored, tell)
        got = reference.compare(network)
    reference.tell = lambda images: None  # the sweep has lines of its own
    print(got.table())
    print(f"  fraction bits {network.frac_bits}: {network.meta['frac_bits']['why']}")
    faults = list(got.faults)
    if args.sweep:
        print(sweep(reference))
    if args.alpha:
        table = alpha_table(net, split.images, split.labels, split.calibration, **formats)
        print(table.text())
        faults += table.faults
    if got.faults and not got.local_faults and faults == got.faults:
        return NETWORK
    return 1 if faults else 0
