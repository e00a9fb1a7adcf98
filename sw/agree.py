"""How well the integer network agrees with the float network: ``python -m sw.agree MODEL``.

Three measures, each with a floor: accuracy on the test split, equal predictions, and local spike
error: the share of wrong spikes of each layer when it is fed the float network's own tensors.
"""

import argparse
import contextlib
import pathlib
import sys
from dataclasses import dataclass

import numpy as np

import sw
from hw.arch.errors import SpikeloomError
from sw.graph import LIF, FloatNetwork
from sw.lower import HEAD_WEIGHT_BITS, PIXEL_WEIGHT_BITS
from sw.lower.lower import residual_names
from sw.network import IntegerNetwork

ACCURACY_POINTS = 0.3  #: Accuracy lost at most, in points; or one image if that is more.
AGREEMENT = 0.99  #: Equal predictions, at least.
LOCAL_ERROR = 0.0005  #: Wrong spikes of each layer fed with float spikes, at most.


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Measures of an integer network beside the float network, on one set of images."""

    name: str
    images: int
    float_accuracy: float  #: 0 to 1.
    integer_accuracy: float
    agreement: float  #: Share of equal predictions.
    local_error: dict[str, float]  #: Neuron -> share of wrong spikes, fed float tensors.
    rates: dict[str, float]  #: Neuron -> share of ones in the float network.

    @property
    def worst(self) -> float:
        """Local spike error of the worst layer."""
        return max(self.local_error.values())

    @property
    def faults(self) -> list[str]:
        """The floors that are not met, in words."""
        faults = []
        allowed = max(ACCURACY_POINTS / 100, 1 / self.images) + 1e-9
        if self.float_accuracy - self.integer_accuracy > allowed:
            faults.append(f"accuracy falls by more than {100 * allowed:.2f} points")
        if self.agreement < AGREEMENT:
            faults.append(f"agreement is below {AGREEMENT:.0%}")
        faults += [
            f"local spike error of {name} is above {LOCAL_ERROR:.2%}"
            for name, error in self.local_error.items()
            if error > LOCAL_ERROR
        ]
        return faults

    def table(self) -> str:
        """The measures as text."""
        loss = f"{100 * (self.integer_accuracy - self.float_accuracy):+.2f} points"
        lines = [
            f"{self.name}: {self.images} images",
            f"  float accuracy       {self.float_accuracy:8.2%}",
            f"  integer accuracy     {self.integer_accuracy:8.2%}  ({loss})",
            f"  equal predictions    {self.agreement:8.2%}  (floor {AGREEMENT:.0%})",
            f"  worst local error    {self.worst:8.4%}  (floor {LOCAL_ERROR:.2%})",
            "  layer                          rate     local spike error",
        ]
        for name, error in self.local_error.items():
            lines.append(f"    {name:28s} {self.rates[name]:7.2%}  {error:9.4%}")
        lines += [f"  NOT MET: {fault}" for fault in self.faults]
        return "\n".join(lines)


class Reference:
    """A float network's results on images, computed once for many integer networks."""

    def __init__(self, net: FloatNetwork, images: np.ndarray, labels: np.ndarray):
        self.net, self.images, self.labels = net, images, labels
        probe = net.lower(size=images.shape[-2:], zero_weights="plus", per_step=images.ndim == 5)
        self.spikes = [node.name for node in net.nodes if isinstance(node, LIF)]
        self.streams = residual_names(probe)
        result = net.run(images, trace=[*self.spikes, *self.streams])
        self.predictions, self.trace = result.predictions, result.trace

    def compare(self, network: IntegerNetwork) -> Agreement:
        """Measure ``network`` against the float results."""
        one = 1 << network.frac_bits
        feed = {name: self.trace[name] for name in self.spikes}
        feed |= {
            name: np.clip(np.rint(self.trace[name] * one), -(1 << 17), (1 << 17) - 1).astype(
                np.int32
            )
            for name in self.streams
        }
        errors = dict.fromkeys(self.spikes, 0)
        batch = 32
        for start in range(0, len(self.images), batch):
            cut = slice(start, start + batch)
            part = {name: tensor[:, cut] for name, tensor in feed.items()}
            trace = network.run(self.images[cut], trace=True, feed=part).trace
            for name in self.spikes:
                errors[name] += int((trace[name] != part[name]).sum())
        predictions = network.run(self.images).predictions
        return Agreement(
            name=network.name,
            images=len(self.images),
            float_accuracy=float((self.predictions == self.labels).mean()),
            integer_accuracy=float((predictions == self.labels).mean()),
            agreement=float((predictions == self.predictions).mean()),
            local_error={name: errors[name] / feed[name].size for name in self.spikes},
            rates={name: float(feed[name].mean()) for name in self.spikes},
        )


def agreement(net: FloatNetwork, images: np.ndarray, labels: np.ndarray, **formats) -> Agreement:
    """Measure ``net`` lowered with ``formats`` on images uint8 and labels (B,)."""
    size = images.shape[-2:]
    network = net.lower(size=size, per_step=images.ndim == 5, **formats)
    return Reference(net, images, labels).compare(network)


def digits_split(net: FloatNetwork) -> tuple[np.ndarray, np.ndarray]:
    """Test images (360, 1, side, side) and labels of the digits at the network's size."""
    from sw.data import load_digits

    if net.size is None or net.size[0] != net.size[1] or net.channels != 1:
        raise SpikeloomError(
            f"{net.name}: digits are square grey images, the network reads {net.channels} "
            f"channels at {net.size}; give --fixture instead"
        )
    digits = load_digits(net.size[0])
    return digits.test_images, digits.test_labels


def fixture_split(stem: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Test images and labels stored in ``stem.io.npz``."""
    path = stem.with_name(stem.name + ".io.npz")
    if not path.is_file():
        raise SpikeloomError(f"{path}: no such file; give --fixture FOLDER/NAME")
    with np.load(path, allow_pickle=False) as io:
        return io["test_images"], io["test_labels"]


def sweep(reference: Reference, widths=range(8, 17)) -> str:
    """Table of the measures over the widths of the first and the last weights."""
    lines = [f"{reference.net.name}: weight bits against accuracy, agreement, worst local error"]
    first = reference.spikes[0]
    for what, default in (("pixel", PIXEL_WEIGHT_BITS), ("head", HEAD_WEIGHT_BITS)):
        for bits in widths:
            size, per_step = reference.images.shape[-2:], reference.images.ndim == 5
            options: dict = {f"{what}_weight_bits": bits}
            got = reference.compare(reference.net.lower(size=size, per_step=per_step, **options))
            mark = "default" if bits == default else ""
            verdict = "meets the floors" if not got.faults else "; ".join(got.faults)
            lines.append(
                f"  {what:5s} {bits:2d} bits: accuracy {got.integer_accuracy:7.2%}, equal "
                f"{got.agreement:7.2%}, first layer {got.local_error[first]:8.4%}, worst "
                f"{got.worst:8.4%}  {verdict} {mark}".rstrip()
            )
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Command line options."""
    p = argparse.ArgumentParser(
        prog="python -m sw.agree", description="Agreement of float and integer network."
    )
    p.add_argument("model", nargs="?", help="shipped name or weight file; default: the fixture's")
    where = p.add_mutually_exclusive_group()
    where.add_argument("--data", choices=["digits"], help="test split of this data set")
    where.add_argument("--fixture", type=pathlib.Path, help="FOLDER/NAME of a fixture")
    p.add_argument("--sweep", action="store_true", help="also 8 to 16 bit first and last weights")
    p.add_argument("--zero-weights", choices=["refuse", "plus", "minus"], default="refuse")
    p.add_argument("--frac-bits", type=int)
    p.add_argument("--pixel-weight-bits", type=int, default=PIXEL_WEIGHT_BITS)
    p.add_argument("--head-weight-bits", type=int, default=HEAD_WEIGHT_BITS)
    return p


def _one_thread() -> None:
    """Small tensors gain nothing from threads, and on a busy machine lose tenfold."""
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)


def main(arguments: list[str] | None = None) -> int:
    """Print the agreement; 0 if every floor is met."""
    p = parser()
    args = p.parse_args(arguments)
    if args.model is None and args.fixture is None:
        p.error("give MODEL or --fixture FOLDER/NAME")
    try:
        fixture = args.fixture
        model = args.model or fixture.with_name(fixture.name + ".weights.npz")
        net = sw.load(model)
        if fixture is None and args.data is None and str(model).endswith(".weights.npz"):
            path = pathlib.Path(model)
            fixture = path.with_name(path.name.removesuffix(".weights.npz"))
        images, labels = fixture_split(fixture) if fixture else digits_split(net)
        _one_thread()
        reference = Reference(net, images, labels)
        network = net.lower(
            size=images.shape[-2:],
            zero_weights=args.zero_weights,
            frac_bits=args.frac_bits,
            pixel_weight_bits=args.pixel_weight_bits,
            head_weight_bits=args.head_weight_bits,
        )
        got = reference.compare(network)
        print(got.table())
        print(f"  fraction bits {network.frac_bits}: {network.meta['frac_bits']['why']}")
        if args.sweep:
            print(sweep(reference))
    except SpikeloomError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if got.faults else 0


if __name__ == "__main__":
    sys.exit(main())
