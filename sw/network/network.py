"""The integer network: its layers and its input's shape, checked."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self

from hw.arch import formats, isa
from hw.common.errors import SpikeloomError
from hw.common.show import listing
from sw.network.checks import Ranges, Shapes
from sw.network.layers import Head, Layer, layer_kinds
from sw.network.layers.base import neuron_of, shortcut_of
from sw.network.values import Affine


@dataclass(frozen=True, kw_only=True)
class IntegerNetwork:
    """An integer network and its input's shape. ``Head`` is its last layer."""

    name: str
    steps: int  #: T, 1 to MAX_STEPS.
    channels: int
    height: int
    width: int
    classes: int
    frac_bits: int  #: Fraction bits of membranes and residuals (theta 1.0 == 1 << frac_bits);
    #: neurons with a State, and what feeds them, have units of their own.
    layers: tuple[Layer, ...]
    per_step_input: bool = False  #: One frame per step instead of one image.
    stream: bool = False  #: Images are the steps of one stream; steps is 1, every neuron has a
    #: State, which survives from image to image, and the logits are those of the step.
    meta: dict = field(default_factory=dict)  #: Labels: source file, accuracy notes. JSON types.

    def __post_init__(self):
        check_network(self)

    def __repr__(self) -> str:
        calls = "a step of a stream" if self.stream else f"{self.steps} steps"
        return listing(
            f"IntegerNetwork {self.name!r}: {self.height}x{self.width}, {self.channels} channels, "
            f"{calls}, {self.classes} classes, {len(self.layers)} layers",
            self.layers,
        )

    @property
    def head(self) -> Head:
        """The last layer."""
        head = self.layers[-1]
        assert isinstance(head, Head)  # check_network has seen to it
        return head

    def replace(self, **changes: Any) -> Self:
        """Copy with other fields, checked again."""
        return dataclasses.replace(self, **changes)


def tensor_shapes(network: IntegerNetwork) -> Shapes:
    """Shapes of all tensors; SpikeloomError where names, order or shapes are wrong."""
    shapes, known = Shapes(network), layer_kinds()
    for layer in network.layers:
        shapes.layer = getattr(layer, "name", "?")
        if type(layer) not in known:
            raise SpikeloomError(f"Integer network {network.name}: unknown layer {layer!r}")
        layer.shapes(shapes)
    return shapes


def check_network(network: IntegerNetwork) -> None:
    """Raise a SpikeloomError that names the first fault of an integer network."""
    shapes = Shapes(network)
    ask = Ranges(network, shapes, frozenset())
    ask.bound("steps", network.steps, 1, formats.MAX_STEPS)
    for what in ("channels", "classes"):
        ask.bound(what, getattr(network, what), 1, 1 << 20)
    for what, name in (("height", "img_h"), ("width", "img_w")):
        ask.bound(what, getattr(network, what), 1, isa.BY_NAME[name].most)
    ask.bound("frac_bits", network.frac_bits, 0, formats.MEMBRANE_BITS - 2)
    if not network.layers or not isinstance(network.layers[-1], Head):
        ask.fail("the last layer must be a Head")
    shapes = tensor_shapes(network)
    _check_stream(network, ask)
    spikes = frozenset(name for layer in network.layers if (name := layer.spikes()) is not None)
    ask = Ranges(network, shapes, spikes)
    for layer in network.layers:
        ask.where = f"layer {layer.name}: "
        _check_parts(layer, ask)
        layer.bounds(ask)


def _check_stream(network: IntegerNetwork, ask: Ranges) -> None:
    if not network.stream:
        return
    neurons = [n for layer in network.layers if (n := neuron_of(layer))]
    plain = [n.name for n in neurons if n.state is None]
    if plain:
        ask.fail(f"is a stream, but {', '.join(plain)} keep no membrane between images")
    if network.steps != 1 or network.per_step_input:
        ask.fail("is a stream: steps must be 1, and an image is one step")


def _check_parts(layer: Layer, ask: Ranges) -> None:
    """Check what layers of several kinds have: neuron, shortcut, affine map or its numbers."""
    neuron = neuron_of(layer)
    if neuron is not None:
        ask.neuron(neuron)
    shortcut = shortcut_of(layer)
    if shortcut is not None:
        most = formats.MEMBRANE_MAX
        ask.bound("value of the shortcut", shortcut.value, -most, most)
    affine: Affine | Layer = getattr(layer, "affine", layer)
    shift = getattr(affine, "shift", None)
    if shift is not None and shift not in formats.SHIFTS:
        ask.fail(f"shift {shift} is not one of {formats.SHIFTS}")
    for what, most in (("bias", formats.BIAS_MAX), ("factor", formats.FACTOR_MAX)):
        if hasattr(affine, what):
            ask.bound(what, getattr(affine, what), -most, most)
