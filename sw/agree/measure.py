"""Accuracy, equal predictions and local spike error of integer networks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN
from sw.api import FloatNetwork, IntegerNetwork
from sw.graph import LIF
from sw.lower import HEAD_WEIGHT_BITS
from sw.lower.search import residual_names

ACCURACY_POINTS = 0.3  #: Accuracy lost at most, in points; or one image if that is more.
AGREEMENT = 0.99  #: Equal predictions, at least.
HEAD_AGREEMENT = 0.95  #: Of heads fed float spikes; near ties of a weak network turn 1 % or so.
LOCAL_ERROR = 0.0005  #: Wrong spikes of each layer fed with float spikes, at most.
LOCAL_IMAGES = 512  #: Images on which it is measured, the first ones.


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
    stored: float | None = None  #: Share of predictions equal to those stored with the images.
    head: float | None = None  #: Share of equal predictions of heads fed float spikes.

    @property
    def worst(self) -> float:
        """Local spike error of the worst layer."""
        return max(self.local_error.values())

    @property
    def local_faults(self) -> list[str]:
        """The floors that single layers do not meet, each fed the float network's tensors."""
        faults = [
            f"local spike error of {name} is above {LOCAL_ERROR:.2%}"
            for name, error in self.local_error.items()
            if error > LOCAL_ERROR
        ]
        if self.head is not None and self.head < HEAD_AGREEMENT:
            faults.append(
                f"heads fed the float network's spikes agree in {self.head:.2%}, below "
                f"{HEAD_AGREEMENT:.0%}"
            )
        return faults

    @property
    def verdict(self) -> str:
        """Who is at fault where a floor is not met: the lowering, or the network."""
        if self.local_faults:
            return (
                "the integers disagree locally: the lowering is at fault, however well the "
                "network is trained; try other formats (--frac-bits, --pixel-weight-bits, "
                "--head-weight-bits)"
            )
        if self.faults:
            return (
                "every layer's integers agree with the float network; that the whole differs is "
                f"the network's: the float network itself is at {self.float_accuracy:.2%}, and "
                "one trained too briefly turns few wrong spikes into other classes; train it "
                "longer, or with more --rounded epochs"
            )
        return f"every floor is met; the float network itself is at {self.float_accuracy:.2%}"

    @property
    def faults(self) -> list[str]:
        """The floors that are not met, in words."""
        faults = []
        allowed = max(ACCURACY_POINTS / 100, 1 / self.images) + 1e-9
        if self.float_accuracy - self.integer_accuracy > allowed:
            faults.append(f"accuracy falls by more than {100 * allowed:.2f} points")
        if self.agreement < AGREEMENT:
            faults.append(f"agreement is below {AGREEMENT:.0%}")
        if self.stored is not None and self.stored < AGREEMENT:
            faults.append(f"agreement with the stored predictions is below {AGREEMENT:.0%}")
        return faults + self.local_faults

    def table(self) -> str:
        """The measures as text."""
        loss = f"{100 * (self.integer_accuracy - self.float_accuracy):+.2f} points"
        lines = [
            f"{self.name}: {self.images} images",
            f"  float accuracy       {self.float_accuracy:8.2%}",
            f"  integer accuracy     {self.integer_accuracy:8.2%}  ({loss})",
            f"  equal predictions    {self.agreement:8.2%}  (floor {AGREEMENT:.0%})",
        ]
        if self.stored is not None:
            lines.append(f"  equal to the stored  {self.stored:8.2%}  (floor {AGREEMENT:.0%})")
        lines += [
            f"  worst local error    {self.worst:8.4%}  (floor {LOCAL_ERROR:.2%})",
            "  layer                          rate     local spike error",
        ]
        for name, error in self.local_error.items():
            lines.append(f"    {name:28s} {self.rates[name]:7.2%}  {error:9.4%}")
        lines += [f"  NOT MET: {fault}" for fault in self.faults]
        return "\n".join([*lines, f"  {self.verdict}"])


def _predictions(
    network: FloatNetwork | IntegerNetwork, images: np.ndarray, tell: Callable[[int], object]
) -> np.ndarray:
    """Predictions (B,); ``tell`` is called with the number of images done since the last call."""
    parts = []
    for start in range(0, len(images), LOCAL_IMAGES):
        parts.append(network.run(images[start : start + LOCAL_IMAGES]).predictions)
        tell(len(parts[-1]))
    return np.concatenate(parts)


class Reference:
    """A float network's results on images, computed once for many integer networks.

    ``stored`` are predictions (B,) that came with the images. ``tell`` is called with the number of
    images done since its last call, here and in `compare`: each image counts once in either.
    """

    def __init__(
        self,
        net: FloatNetwork,
        images: np.ndarray,
        labels: np.ndarray,
        stored: np.ndarray | None = None,
        tell: Callable[[int], object] = lambda images: None,
    ):
        self.tell = tell
        self.net, self.images, self.labels, self.stored = net, images, labels, stored
        probe = net.lower(size=images.shape[-2:], zero_weights="plus", per_step=images.ndim == 5)
        self.spikes = [node.name for node in net.nodes if isinstance(node, LIF)]
        self.streams = residual_names(probe)
        few, others = images[:LOCAL_IMAGES], images[LOCAL_IMAGES:]
        result = net.run(few, trace=[*self.spikes, *self.streams])
        self.predictions, self.trace = result.predictions, result.trace
        tell(len(few))
        if len(others):
            rest = _predictions(net, others, tell)
            self.predictions = np.concatenate([self.predictions, rest])

    def compare(self, network: IntegerNetwork) -> Agreement:
        """Measure ``network`` against the float results."""
        units = network.meta.get("units", {})
        feed = {name: self.trace[name] for name in self.spikes}
        for name in self.streams:
            one = units.get(name, 1 << network.frac_bits)
            whole = np.clip(np.rint(self.trace[name] * one), MEMBRANE_MIN, MEMBRANE_MAX)
            feed[name] = whole.astype(np.int32)
        errors = dict.fromkeys(self.spikes, 0)
        batch, same = 32, 0
        for start in range(0, min(LOCAL_IMAGES, len(self.images)), batch):
            cut = slice(start, min(start + batch, LOCAL_IMAGES))
            part = {name: tensor[:, cut] for name, tensor in feed.items()}
            result = network.run(self.images[cut], trace=True, feed=part)
            trace = result.trace
            same += int((result.predictions == self.predictions[cut]).sum())
            for name in self.spikes:
                errors[name] += int((trace[name] != part[name]).sum())
        predictions = _predictions(network, self.images, self.tell)
        return Agreement(
            name=network.name,
            images=len(self.images),
            float_accuracy=float((self.predictions == self.labels).mean()),
            integer_accuracy=float((predictions == self.labels).mean()),
            agreement=float((predictions == self.predictions).mean()),
            local_error={name: errors[name] / feed[name].size for name in self.spikes},
            rates={name: float(feed[name].mean()) for name in self.spikes},
            head=same / min(LOCAL_IMAGES, len(self.images)),
            stored=None if self.stored is None else float((predictions == self.stored).mean()),
        )


def agreement(net: FloatNetwork, images: np.ndarray, labels: np.ndarray, **formats) -> Agreement:
    """Measure ``net`` lowered with ``formats`` on images uint8 and labels (B,)."""
    size = images.shape[-2:]
    network = net.lower(size=size, per_step=images.ndim == 5, **formats)
    return Reference(net, images, labels).compare(network)


def sweep(reference: Reference, widths=range(8, 17)) -> str:
    """Table of the measures over the widths of the first and the last weights."""
    lines = [f"{reference.net.name}: weight bits against accuracy, agreement, worst local error"]
    first = reference.spikes[0]
    size, per_step = reference.images.shape[-2:], reference.images.ndim == 5
    pixel = reference.net.lower(size=size, per_step=per_step).meta["pixel_weight_bits"]
    for what, default in (("pixel", pixel), ("head", HEAD_WEIGHT_BITS)):
        for bits in widths:
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
