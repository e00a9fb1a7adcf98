"""Where everything lies: layouts of tensors, row, column and pixel regions."""

import numpy as np

from hw.arch.config import Config
from hw.arch.isa import Dest, Pack
from hw.common.errors import SpikeloomError
from sw.compiler.layout import (
    Allocator,
    Layout,
    ceil_div,
    channel_packed,
    choose_pack,
    head_packed,
    token_packed,
)
from sw.compiler.numbering import Numbering, Numberings
from sw.compiler.program import Region
from sw.compiler.residuals import Residuals
from sw.compiler.uses import Uses, spikes
from sw.network import (
    AttentionApply,
    AttentionMap,
    BinaryLayer,
    IntegerNetwork,
    Layer,
    Mean,
)


class Placement:
    """Layouts and addresses of a network's tensors, in memories as deep as needed.

    Attributes
    ----------
    uses, numbers, residuals
        See `Uses`, `Numberings`, `Residuals`.
    shape : dict
        (C, H, W) of spikes and residuals, (H, rows, columns) of maps, (C,) of features.
    layouts, base : dict
        Layout and address of each spike tensor that is stored; addresses after `place_tensors`.
    heads : dict
        Heads of the tensors that attention reads.
    regions : list of Region
    depth : dict
        Words needed of each memory.
    """

    def __init__(self, net: IntegerNetwork, config: Config):
        self.net, self.config, self.steps = net, config, net.steps
        self.uses = uses = Uses(net)
        self.shape = uses.shape
        self.numbers = Numberings(uses, config)
        self.heads: dict[str, int] = {}
        self.base: dict[str, int] = {}
        self.regions: list[Region] = []
        self.depth: dict[str, int] = {}
        self.layouts: dict[str, Layout] = {}
        for layer in net.layers:
            name = spikes(layer)
            if name is not None and uses.stored(name):
                self.layouts[name] = self._layout(layer, name)
        self.residuals = Residuals(net, config, uses, self.numbers)
        self.regions += self.residuals.regions
        self.depth["res"] = self.residuals.depth
        self._place_pixels()

    def fail(self, layer: str, what: str) -> SpikeloomError:
        """Return the error for a network that cannot be mapped."""
        return self.uses.fail(layer, what)

    def _role(self, name: str) -> tuple:
        """How attention reads a tensor: (Dest, heads), or () where no attention does."""
        roles = set()
        for reader in self.uses.readers_of(name):
            match reader:
                case AttentionMap() as layer if name in (layer.left, layer.right):
                    qk, left = layer.order == "qk", name == layer.left
                    if qk:
                        roles.add((Dest.ROW if left else Dest.COL_TOKEN, layer.heads))
                    else:
                        roles.add((Dest.COL_CHANNEL if left else Dest.ROW_CHANNEL, layer.heads))
                case AttentionApply() as layer if name == layer.source:
                    qk = layer.order == "qk"
                    roles.add((Dest.COL_CHANNEL if qk else Dest.ROW, layer.heads))
                case AttentionApply():
                    pass
                case _:
                    roles.add(())
        if len(roles) > 1:
            raise self.fail(name, "is read in several ways that need different memory layouts")
        return roles.pop() if roles else ()

    def _layout(self, layer: Layer, name: str) -> Layout:
        c, t = self.config, self.steps
        if isinstance(layer, AttentionMap):
            heads, side, _ = self.shape[name]
            dest = Dest.ROW if layer.order == "qk" else Dest.COL_TOKEN
            return head_packed(c, t, dest=dest, tokens=side, heads=heads, channels=side)
        channels, h, w = self.shape[name]
        if role := self._role(name):
            dest, heads = role
            if (
                not isinstance(layer, BinaryLayer)
                or layer.residual is not None
                or layer.shortcut is not None
            ):
                raise self.fail(
                    layer.name, "attention can read a binary layer without residual only"
                )
            if channels % heads:
                raise self.fail(name, f"{channels} channels do not divide into {heads} heads")
            self.heads[name] = heads
            width = channels // heads
            if dest in (Dest.ROW, Dest.COL_TOKEN):
                padded = ceil_div(width, c.cols) * c.cols
                return head_packed(c, t, dest=dest, tokens=h * w, heads=heads, channels=padded)
            return token_packed(c, t, dest=dest, tokens=h * w, heads=heads, head_width=width)
        position, bits = None, 0
        if isinstance(layer, AttentionApply):
            width = channels // layer.heads
            padded = ceil_div(width, c.cols) * c.cols
            position = (np.arange(layer.heads)[:, None] * padded + np.arange(width)).ravel()
            bits = layer.heads * padded
        numbering = self.numbers.tensor[name]
        pack, slot = Pack.NONE, 1
        if position is None and numbering == Numbering.GRID and self._three_by_three(name):
            pack, slot = choose_pack(c, channels)
        return channel_packed(
            c,
            t,
            channels=channels,
            height=h,
            width=w,
            flat=numbering == Numbering.FLAT,
            split=numbering == Numbering.PAIR,
            pack=pack,
            slot=slot,
            position=position,
            bits=bits,
        )

    def _three_by_three(self, name: str) -> bool:
        """Whether 3x3 layers read a tensor, and only they (shortcuts read any packing)."""
        readers = [r for r in self.uses.readers_of(name) if not isinstance(r, Mean)]
        sources = [r for r in readers if not (isinstance(r, BinaryLayer) and r.source != name)]
        return bool(sources) and all(
            isinstance(r, BinaryLayer) and r.weight.shape[2:] == (3, 3) for r in sources
        )

    # ---- memories --------------------------------------------------------------------------

    def place_tensors(self, constants: int) -> None:
        """Place spike tensors, those in column memory above ``constants`` words."""
        floor = {"row": 0, "col": constants}
        places = {"row": Allocator(), "col": Allocator()}
        self.regions.append(Region(name="constants", memory="col", base=0, size=constants))
        for name, layout in self.layouts.items():
            memory = layout.memory
            self.base[name] = places[memory].place(
                layout.size, self.uses.maker[name], self.residuals.last_use(name), floor[memory]
            )
            self.regions.append(
                Region(name=name, memory=memory, base=self.base[name], size=layout.size)
            )
        for memory, place in places.items():
            self.depth[memory] = max(place.top, floor[memory])

    def _place_pixels(self) -> None:
        """Image, features, logits: never over one another, so that logits outlive a load."""
        net, cols = self.net, self.config.cols
        self.input_shape = (net.channels, net.height, net.width)
        if net.per_step_input:
            self.input_shape = (net.steps, *self.input_shape)
        image, features = int(np.prod(self.input_shape)), self.residuals.feature_count
        self.feature_base = image + self.residuals.feature_gap
        self.logits_base = self.feature_base + features
        logits = ceil_div(net.classes, cols) * cols
        self.depth["pix"] = self.logits_base + logits
        for name, base, size in (
            ("image", 0, image),
            ("sums of buffer A, not used", image, self.residuals.feature_gap),
            ("features", self.feature_base, features),
            ("logits", self.logits_base, logits),
        ):
            if size:
                self.regions.append(Region(name=name, memory="pix", base=base, size=size))
