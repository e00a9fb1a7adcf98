"""What the checks of an integer network ask: names, shapes, ranges, and that no sum overflows."""

from collections.abc import Sequence
from typing import NoReturn, Protocol

import numpy as np

from hw.arch import formats, isa
from hw.common.errors import SpikeloomError
from sw.network.values import Neuron

PRODUCT_MAX = (1 << (formats.PRODUCT_BITS - 1)) - 1
MAX_COUNT = (1 << (formats.ACC_BITS[1] - 1)) - 1  #: Of an array element of the widest core.
THETA_MAX = min(formats.MEMBRANE_MAX, isa.BY_NAME["theta"].most)


class Checked(Protocol):
    """What the checks of a layer read of its network."""

    @property
    def name(self) -> str: ...
    @property
    def steps(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def classes(self) -> int: ...


class Shapes:
    """Shapes of a network's tensors without steps and batch, filled layer by layer.

    Attributes
    ----------
    shape : dict
        (C, H, W) of spikes and residuals; (H, N, N) or (H, d, d) of maps; (C,) of means, logits.
    layer : str
        Name of the layer that is being checked.
    """

    def __init__(self, network: Checked):
        self.network = network
        self.shape: dict[str, tuple[int, ...]] = {}
        self.layer = ""

    def fail(self, text: str) -> NoReturn:
        """Refuse the network because of the layer."""
        raise SpikeloomError(f"Integer network {self.network.name}: layer {self.layer}: {text}")

    def of(self, name: str, rank: int) -> tuple[int, ...]:
        """Shape of a tensor that the layer reads, which has ``rank`` axes."""
        if name not in self.shape:
            self.fail(f"reads {name!r}, which no earlier layer writes")
        if len(self.shape[name]) != rank:
            self.fail(f"reads {name!r} of shape {self.shape[name]}, wanted {rank} axes")
        return self.shape[name]

    def put(self, name: str, shape: tuple[int, ...]) -> None:
        """Note a tensor that the layer writes."""
        if name in self.shape:
            self.fail(f"writes {name!r} a second time")
        self.shape[name] = shape

    def want(self, what: str, got: tuple, shape: tuple) -> None:
        """Refuse ``what`` where its shape is another."""
        if got != shape:
            self.fail(f"{what} has shape {got}, wanted {shape}")

    def choice(self, what: str, value: int, wanted: tuple[int, ...]) -> None:
        """Refuse a ``value`` of ``what`` that is none of those wanted."""
        if value not in wanted:
            self.fail(f"{what} must be {' or '.join(map(str, wanted))}, not {value!r}")

    def heads(self, channels: int, heads: int, order: str) -> None:
        """Refuse an order of attention that does not exist, or heads that do not divide."""
        if order not in ("qk", "kv"):
            self.fail(f"order must be qk or kv, not {order!r}")
        if heads < 1 or channels % heads:
            self.fail(f"{channels} channels do not divide into {heads} heads")


class Ranges:
    """Ranges of a network's numbers, asked layer by layer.

    Attributes
    ----------
    shapes : Shapes
        Of all tensors.
    spikes : frozenset of str
        Names of the spike tensors.
    where : str
        What the messages begin with: the layer that is being checked.
    """

    def __init__(self, network: Checked, shapes: Shapes, spikes: frozenset[str]):
        self.network, self.shapes, self.spikes = network, shapes, spikes
        self.where = ""

    def fail(self, text: str) -> NoReturn:
        """Refuse the network."""
        raise SpikeloomError(f"Integer network {self.network.name}: {self.where}{text}")

    def bound(self, what: str, value: int | Sequence[int] | np.ndarray, low: int, high: int):
        """Refuse values that are no integers from ``low`` to ``high``."""
        array = np.asarray(value)
        if array.dtype.kind not in "iu" or array.size == 0:
            self.fail(f"{what} must hold integers, not {array.dtype} of shape {array.shape}")
        if array.min() < low or array.max() > high:
            self.fail(f"{what} is {array.min()} to {array.max()}, wanted {low} to {high}")

    def accumulator(self, worst: int) -> None:
        """Refuse sums whose magnitude a lane's accumulator does not hold."""
        if worst > PRODUCT_MAX:
            self.fail(
                f"sums reach {worst}, the accumulator holds {PRODUCT_MAX}; "
                "lower with fewer frac_bits"
            )

    def counts(self, largest: int) -> None:
        """Refuse counts that an array element does not hold."""
        if largest > MAX_COUNT:
            self.fail(
                f"counts reach {largest}, an array element holds {MAX_COUNT} at most; "
                "use fewer channels"
            )

    def tokens(self, name: str, heads: int) -> None:
        """Attention takes an image's tokens as one line."""
        _, height, width = self.shapes.shape[name]
        self.bound("tokens", height * width, 1, isa.BY_NAME["img_w"].most)
        self.bound("heads", heads, 1, isa.BY_NAME["n_h"].most)

    def neuron(self, neuron: Neuron) -> None:
        """Refuse a threshold or a state that no lane has."""
        self.bound("theta", neuron.theta, 1, THETA_MAX)
        kept = neuron.state
        if kept is None:
            return
        if kept.bits not in formats.STATE_BITS or kept.shift not in formats.STATE_SHIFTS:
            self.fail(
                f"a state of {kept.bits} bits and shift {kept.shift}; wanted bits of "
                f"{formats.STATE_BITS} and a shift of {formats.STATE_SHIFTS}"
            )
        if neuron.soft:
            self.fail("a neuron with a state resets to 0 only, not by subtraction")
        levels = formats.state_levels(kept.bits)
        if kept.thresholds.shape != (levels,):
            self.fail(f"{kept.thresholds.shape} thresholds of a state, wanted ({levels},)")
        self.bound("thresholds", kept.thresholds, 1, formats.STATE_MAX + 1)
        if (np.diff(kept.thresholds) < 0).any():
            self.fail("the thresholds of a state must ascend")
        cell = formats.state_cell(kept.shift)
        cells = kept.thresholds[kept.thresholds <= formats.STATE_MAX] // cell
        last = formats.STATE_CELLS - (cell == formats.STATE_CELL_FINE)
        if (np.diff(cells) == 0).any() or (cells >= last).any():
            self.fail(
                f"thresholds of a state of shift {kept.shift} must lie in cells of {cell} "
                f"units of their own, below {last * cell}; lower with another alpha"
            )
