"""How the tokens of all tensors are numbered: alike by all layers that touch one residual."""

from hw.arch.config import Config
from sw.compiler.plan.numbering import Numbering
from sw.compiler.plan.tensors import Uses
from sw.network import Layer
from sw.network.layers import residual_of


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
            name = layer.spikes()
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
            for want in self.uses.kind(reader).wants(reader, name):
                wants[want] = reader.name
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

    def _touched(self, layer: Layer) -> list[str]:
        residual = residual_of(layer)
        if residual is None:
            return []
        stored = self.uses.residual(layer)
        return [*residual.inputs, *([stored] if stored else [])]

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
            touched, name = self._touched(layer), layer.spikes()
            shared = group[self._root[touched[0]]] if touched else Numbering.FLAT
            mine = shared
            if name in self.tensor and self.uses.stored(name):
                width = self.uses.shape[name][2]
                if self.tensor[name] == Numbering.FLAT and shared.pitch(width, rows) != width:
                    self.tensor[name] = Numbering.GRID
                mine = self.tensor[name]
            self.layer[layer.name] = mine
            source = self.uses.kind(layer).follows(layer, bool(mine))
            if source is not None:
                self.tensor[source] = max(self.tensor[source], Numbering.GRID)
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
