"""Layers that run inside the instruction of another one: pools of its spikes, means of its sums."""

from hw.arch.config import Config
from sw.compiler.plan.layout import ceil_div
from sw.compiler.plan.tensors import Uses
from sw.network import Layer, Mean
from sw.network.layers import residual_of


class Fusions:
    """Which layers have no instruction of their own.

    Attributes
    ----------
    pools : dict
        Layer's name to the pool of its spikes that is written in their place.
    line : int
        Words of the longest of their lines.
    means : dict
        Layer's name to the mean that is summed while it writes; ``uses.summed`` has them too.
    """

    def __init__(self, uses: Uses, config: Config):
        self.uses, self.config = uses, config
        self.pools: dict[str, Layer] = {}
        self.line = 0
        self.means: dict[str, Mean] = {}
        for layer in uses.net.layers:
            if config.means and uses.kind(layer).sums:
                self._find_mean(layer)
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

    def _find_mean(self, layer: Layer) -> None:
        """Find the mean of what a layer makes that its lanes can sum: one, of y or of spikes."""
        uses, layers = self.uses, self.uses.net.layers
        residual, spikes = residual_of(layer), layer.spikes()
        stored = residual.output if residual is not None else None
        names = {name for name in (stored, spikes) if name is not None}
        found = [
            n
            for name in sorted(names)
            for n in uses.readers[name]
            if isinstance(mean := layers[n], Mean) and mean.over_tokens
        ]
        if not found:
            return
        mean = layers[min(found)]
        assert isinstance(mean, Mean)
        _, h, w = uses.shape[mean.source]
        # what the lanes hand to memory is of one kind, and by heads it has places of its own
        if mean.source == spikes:
            alone = stored is None or not uses.readers[stored]
        else:
            alone = spikes is None or not any(
                uses.kind(r).sums_residuals for r in uses.readers_of(spikes)
            )
        heads = any(
            uses.kind(r).roles(r, mean.source) != ((),) for r in uses.readers_of(mean.source)
        )
        rows, cols = self.config.rows, self.config.cols
        enough = uses.net.steps * ceil_div(h * w, rows) * rows >= cols  # cycles, for C writes
        if alone and enough and not heads:
            self.means[layer.name] = mean
            uses.summed.add(min(found))

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
