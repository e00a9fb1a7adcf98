"""Layers that run inside the instruction of another one: pools, in the write-back of spikes."""

from hw.arch.config import Config
from sw.compiler.plan.layout import ceil_div
from sw.compiler.plan.tensors import Uses
from sw.network import Layer


class Fusions:
    """Which layers have no instruction of their own.

    Attributes
    ----------
    pools : dict
        Layer's name to the pool of its spikes that is written in their place.
    line : int
        Words of the longest of their lines.
    """

    def __init__(self, uses: Uses, config: Config):
        self.uses, self.config = uses, config
        self.pools: dict[str, Layer] = {}
        self.line = 0
        for layer in uses.net.layers:
            name = layer.spikes()
            if name is None or not uses.kind(layer).writes_windows:
                continue
            readers = list(uses.readers_of(name))
            words = self._line(name)
            alone = len(readers) == 1 and uses.kind(readers[0]).windows
            if alone and words <= config.pool_depth:
                self.pools[layer.name] = readers[0]
                self.line = max(self.line, words)

    def _line(self, name: str) -> int:
        """Words of a line that the windows of an image row take: R / 2 for each tile."""
        rows = self.config.rows
        return rows // 2 * ceil_div(self.uses.shape[name][2], rows) * self.uses.net.steps

    def writes(self, layer: Layer) -> str | None:
        """Name of the spikes that a layer's instruction writes: its own, or their pool."""
        pool = self.pools.get(layer.name)
        return layer.spikes() if pool is None else pool.spikes()

    def include(self, layer: Layer) -> bool:
        """Whether the layer has no instruction of its own."""
        return any(layer is pool for pool in self.pools.values())

    def maker(self, name: str) -> int:
        """Index of the layer whose instruction writes spikes."""
        layers = self.uses.net.layers
        made = (n for n, layer in enumerate(layers) if self.writes(layer) == name)
        return next(made)
