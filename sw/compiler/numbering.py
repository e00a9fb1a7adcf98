"""How output tokens are numbered: the same by all layers that touch one residual."""

import enum

from hw.arch.config import Config
from hw.arch.isa import Mod
from sw.compiler.layout import ceil_div
from sw.compiler.uses import Uses, halves, spikes
from sw.network import BinaryLayer, SpikePool


class Numbering(enum.IntEnum):
    """Gaps between image rows."""

    FLAT = 0  #: None.
    GRID = 1  #: Image rows are padded to a multiple of R.
    PAIR = 2  #: Image rows are padded to a multiple of 2 R (split layouts).

    def pitch(self, width: int, rows: int) -> int:
        """Tokens from an image row to the next."""
        unit = (1, rows, 2 * rows)[self]
        return ceil_div(width, unit) * unit

    def groups(self, shape: tuple[int, ...], rows: int) -> int:
        """Groups of R tokens of an image (C, H, W)."""
        return ceil_div(shape[1] * self.pitch(shape[2], rows), rows)

    def fields(self) -> dict[str, int]:
        """Instruction fields of a layer that writes no spikes."""
        return {
            "flat": int(self == Numbering.FLAT),
            "w_mod": Mod.PAIR if self == Numbering.PAIR else Mod.ROWS,
        }


class Numberings:
    """Numberings of all layers and tensors of a network.

    Attributes
    ----------
    tensor : dict
        Of spikes that are stored image by image; those that attention reads are FLAT.
    layer : dict
        Layer's name to the numbering of what it writes.
    groups : dict
        Residual's or kept spikes' name to groups of R tokens per column tile.
    """

    def __init__(self, uses: Uses, config: Config):
        self.uses, self.config = uses, config
        self.tensor: dict[str, Numbering] = {}
        self.layer: dict[str, Numbering] = {}
        for layer in uses.net.layers:
            name = spikes(layer)
            if name is not None and len(uses.shape[name]) == 3:
                self.tensor[name] = self._first(name)
        self._link()
        while self._settle():
            pass
        self._agree()

    def _first(self, name: str) -> Numbering:
        """Numbering that the readers of spikes want by themselves."""
        wants: dict[Numbering, str] = {}
        for reader in self.uses.readers_of(name):
            match reader:
                case BinaryLayer():
                    if reader.source == name:
                        three = reader.weight.shape[2] == 3
                        wants[Numbering.PAIR if halves(reader) else Numbering(three)] = reader.name
                    if reader.shortcut is not None and reader.shortcut.source == name:
                        wants[Numbering.GRID] = reader.name
                case SpikePool():
                    wants[Numbering.GRID] = reader.name
        split = wants.pop(Numbering.PAIR, None)
        if split and wants:
            other = next(iter(wants.values()))
            raise self.uses.fail(
                other,
                f"reads {name!r} column by column, but layer {split!r} reads it with stride "
                "2 or pool 2, every second column in a plane of its own; give them separate copies",
            )
        return Numbering.PAIR if split else max(wants, default=Numbering.FLAT)

    def _link(self) -> None:
        """Find residuals that are numbered alike, because one layer touches them."""
        self._root: dict[str, str] = {}
        for layer in self.uses.net.layers:
            names = self._touched(layer)
            roots = {self._root.get(name, name) for name in names}
            for name in [*names, *(n for n, r in self._root.items() if r in roots)]:
                self._root[name] = min(roots)

    def _touched(self, layer) -> list[str]:
        residual = getattr(layer, "residual", None)
        if residual is None:
            return []
        stored = [residual.output] if self.uses.readers[residual.output] else []
        return [*residual.inputs, *stored]

    def _settle(self) -> bool:
        """Pass on what one layer's numbering means for others; whether anything changed."""
        before = dict(self.layer), dict(self.tensor)
        rows = self.config.rows
        group = dict.fromkeys(self._root.values(), Numbering.FLAT)
        for layer in self.uses.net.layers:
            for name in self._touched(layer)[:1]:
                root = self._root[name]
                group[root] = max(group[root], self.layer.get(layer.name, Numbering.FLAT))
        for layer in self.uses.net.layers:
            touched, name = self._touched(layer), spikes(layer)
            shared = group[self._root[touched[0]]] if touched else Numbering.FLAT
            mine = shared
            if name in self.tensor and self.uses.stored(name):
                width = self.uses.shape[name][2]
                if self.tensor[name] == Numbering.FLAT and shared.pitch(width, rows) != width:
                    self.tensor[name] = Numbering.GRID
                mine = self.tensor[name]
            self.layer[layer.name] = mine
            if isinstance(layer, BinaryLayer) and (mine or layer.shortcut is not None):
                self.tensor[layer.source] = max(self.tensor[layer.source], Numbering.GRID)
        return before != (self.layer, self.tensor)

    def _agree(self) -> None:
        """Refuse residuals that layers number differently; count groups."""
        self.groups: dict[str, int] = {}
        seen: dict[str, tuple[str, int]] = {}
        count: dict[str, int] = {}
        rows = self.config.rows
        for layer in self.uses.net.layers:
            numbering = self.layer[layer.name]
            for name in self._touched(layer):
                root, shape = self._root[name], self.uses.shape[name]
                pitch = numbering.pitch(shape[2], rows)
                other, there = seen.setdefault(root, (layer.name, pitch))
                if shape[1] > 1 and pitch != there:
                    raise self.uses.fail(
                        layer.name,
                        f"numbers {name!r} with {pitch} tokens per image row, layer "
                        f"{other!r} with {there}, because different layers read their spikes; give "
                        "both layers readers of one kind (stride 1, or stride 2 and pool 2)",
                    )
                count[root] = max(count.get(root, 0), numbering.groups(shape, rows))
        self.groups = {name: count[root] for name, root in self._root.items()}
        for layer in self.uses.net.layers:
            if (name := self.uses.kept(layer)) is not None:
                touched = self._touched(layer)
                self.groups[name] = (
                    self.groups[touched[0]]
                    if touched
                    else self.layer[layer.name].groups(self.uses.shape[name], rows)
                )
