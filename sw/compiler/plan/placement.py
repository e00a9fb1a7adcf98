"""Where everything lies: layouts of tensors, row, column and pixel regions."""

import numpy as np

from hw.arch.config import Config
from hw.arch.isa import Dest, Pack
from hw.common.errors import SpikeloomError
from sw.compiler.plan.fusions import Fusions
from sw.compiler.plan.kind import Kinds, Role
from sw.compiler.plan.layout import (
    Layout,
    Tenant,
    ceil_div,
    channel_packed,
    choose_pack,
    head_packed,
    place,
    token_packed,
)
from sw.compiler.plan.numbering import Numbering
from sw.compiler.plan.numberings import Numberings
from sw.compiler.plan.residuals import Residuals
from sw.compiler.plan.tensors import Uses
from sw.compiler.records import Region
from sw.network import IntegerNetwork, Layer, PixelConv

IMAGE = ""  #: The image among the tenants of row memory; no tensor has that name.


class Placement:
    """Layouts and addresses of a network's tensors, in memories as deep as needed.

    Attributes
    ----------
    uses, fusions, numbers, residuals
        See `Uses`, `Fusions`, `Numberings`, `Residuals`.
    shape : dict
        (C, H, W) of spikes and residuals, (H, rows, columns) of maps, (C,) of features.
    layouts, base : dict
        Layout and address of each spike tensor that is stored; addresses after `place_tensors`.
    heads : dict
        Heads of the tensors that attention reads.
    image_memory, image_base, image_line
        "row" or "pix", the image's first address there, and addresses from image row to image
        row; of row memory after `place_tensors`.
    regions : list of Region
    depth : dict
        Words needed of each memory.
    """

    def __init__(self, net: IntegerNetwork, config: Config, kinds: Kinds):
        self.net, self.config, self.steps = net, config, net.steps
        self.uses = uses = Uses(net, kinds)
        self.fusions = Fusions(uses, config)
        self.shape = uses.shape
        self.numbers = Numberings(uses, config)
        self.heads: dict[str, int] = {}
        self.base: dict[str, int] = {}
        self.regions: list[Region] = []
        self.depth: dict[str, int] = {}
        self.layouts: dict[str, Layout] = {}
        for layer in net.layers:
            name = layer.spikes()
            if name is not None and uses.stored(name) and layer.name not in self.fusions.pools:
                self.layouts[name] = self._layout(layer, name)
        self.residuals = Residuals(net, config, uses, self.numbers)
        self.regions += self.residuals.regions
        self.depth["res"] = self.residuals.depth
        self._place_pixels()

    def fail(self, layer: str, what: str) -> SpikeloomError:
        """Return the error for a network that cannot be mapped."""
        return self.uses.fail(layer, what)

    def _role(self, name: str) -> Role:
        """How attention reads a tensor, or () where no attention does."""
        readers = self.uses.readers_of(name)
        roles = {role for r in readers for role in self.uses.kind(r).roles(r, name)}
        if len(roles) > 1:
            raise self.fail(name, "is read in several ways that need different memory layouts")
        return roles.pop() if roles else ()

    def _layout(self, layer: Layer, name: str) -> Layout:
        c, t = self.config, self.steps
        kind, shape = self.uses.kind(layer), self.shape[name]
        numbering = self.numbers.tensor[name]
        own = kind.layout(layer, c, t, shape, numbering)
        if own is not None and not kind.writes_image:
            return own
        if role := self._role(name):
            if not kind.makes_operand(layer):
                raise self.fail(
                    layer.name, "attention can read a binary layer without residual only"
                )
            return self._operand(name, *role)
        if own is not None:
            return own
        channels, height, width = shape
        pack, slot = Pack.NONE, 1
        if numbering == Numbering.GRID and self._three_by_three(name):
            pack, slot = choose_pack(c, channels)
        return channel_packed(
            c,
            t,
            channels=channels,
            height=height,
            width=width,
            flat=numbering == Numbering.FLAT,
            split=numbering == Numbering.PAIR,
            pack=pack,
            slot=slot,
        )

    def _operand(self, name: str, dest: Dest, heads: int) -> Layout:
        """Layout of an operand of attention."""
        c, t = self.config, self.steps
        channels, h, w = self.shape[name]
        if channels % heads:
            raise self.fail(name, f"{channels} channels do not divide into {heads} heads")
        self.heads[name] = heads
        width = channels // heads
        if dest in (Dest.ROW, Dest.COL_TOKEN):
            padded = ceil_div(width, c.cols) * c.cols
            return head_packed(c, t, dest=dest, tokens=h * w, heads=heads, channels=padded)
        return token_packed(c, t, dest=dest, tokens=h * w, heads=heads, head_width=width)

    def _three_by_three(self, name: str) -> bool:
        """Whether 3x3 layers read a tensor, and only they."""
        found = [self.uses.kind(reader).taps(reader, name) for reader in self.uses.readers_of(name)]
        found = [taps for taps in found if taps is not None]
        return bool(found) and all(found)

    # ---- memories --------------------------------------------------------------------------

    def place_tensors(self, constants: int, halves: int = 0) -> None:
        """Place the image and spike tensors, those in column memory above ``constants`` words.

        ``halves``: the first of them, which are for blocks from outside.
        """
        wanted: dict[str, list[Tenant]] = {"row": [], "col": []}
        if self.image_memory == "row":
            wanted["row"].append(self._image())
        for name, layout in self.layouts.items():
            first, last = self.fusions.maker(name), self.residuals.last_use(name)
            wanted[layout.memory].append(Tenant(name, layout.size, first, last))
        depths = {"row": self.config.row_depth, "col": self.config.col_depth}
        for memory, floor in (("row", 0), ("col", constants)):
            bases, self.depth[memory] = place(wanted[memory], floor, depths[memory])
            self.base |= bases
        if self.image_memory == "row":
            self.image_base, size = self.base.pop(IMAGE), wanted["row"][0].size
            self.regions.append(Region(name="image", memory="row", base=self.image_base, size=size))
        if halves:
            self.regions.append(Region(name="blocks", memory="col", base=0, size=halves))
        size = constants - halves
        self.regions.append(Region(name="constants", memory="col", base=halves, size=size))
        for name, layout in self.layouts.items():
            base, size = self.base[name], layout.size
            self.regions.append(Region(name=name, memory=layout.memory, base=base, size=size))

    def _image_memory(self) -> str:
        """Where the image lies: in row memory if all that read it can take it from there."""
        net, c = self.net, self.config
        small = net.channels <= c.width // 8 and c.tile_pixels > 1
        return "row" if small and any(isinstance(n, PixelConv) for n in net.layers) else "pix"

    def _image(self) -> Tenant:
        """The image in row memory, where it stays until the last layer that reads it."""
        self.image_line = ceil_div(self.net.width, self.config.rows)
        frames = self.net.steps if self.net.per_step_input else 1
        size = frames * self.net.height * self.image_line
        readers = [n for n, layer in enumerate(self.net.layers) if isinstance(layer, PixelConv)]
        return Tenant(IMAGE, size, 0, readers[-1])

    def _place_pixels(self) -> None:
        """Image, features, logits: never over one another, so that logits outlive a load."""
        net, cols = self.net, self.config.cols
        self.input_shape = (net.channels, net.height, net.width)
        if net.per_step_input:
            self.input_shape = (net.steps, *self.input_shape)
        self.image_base, self.image_memory, self.image_line = 0, self._image_memory(), net.width
        image = int(np.prod(self.input_shape)) if self.image_memory == "pix" else 0
        features = self.residuals.feature_count
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
