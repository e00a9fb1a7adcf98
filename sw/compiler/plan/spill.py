"""Layers that run some column tiles at a time, because residual memory does not hold them all."""

from dataclasses import dataclass

from hw.arch.config import Config
from sw.compiler.plan.layout import ceil_div
from sw.compiler.plan.numberings import Numberings
from sw.compiler.plan.tensors import Uses
from sw.network import Layer
from sw.network.layers import neuron_of, residual_of


@dataclass(frozen=True)
class Pieces:
    """Successive layers that run piece by piece, all of them for each piece."""

    layers: tuple[Layer, ...]
    names: tuple[str, ...]  #: Residual, kept spikes, or both, that pass between them.
    tiles: int  #: Column tiles of a piece; whole words of spikes.
    ends: int  #: Index of the last layer.

    def include(self, layer: Layer) -> bool:
        """Whether a layer is one of them."""
        return any(layer is mine for mine in self.layers)


def tile_words(uses: Uses, numbers: Numberings, config: Config, name: str) -> int:
    """Words of one buffer that a column tile of a residual takes."""
    return uses.net.steps * numbers.groups[name] * config.rows


def find_pieces(uses: Uses, numbers: Numberings, config: Config) -> dict[str, Pieces]:
    """Return what must run piece by piece, by the name of its last layer.

    A projection and the layer that adds it; a layer and the mean of its spikes; all three.
    """
    out: dict[str, Pieces] = {}
    unit = config.width // config.cols
    for n, layer in enumerate(uses.net.layers):
        chain, names = _chain(uses, n, layer)
        if not names or any(p.include(layer) for p in out.values()):
            continue
        each = max(tile_words(uses, numbers, config, name) for name in names)
        tiles = ceil_div(uses.shape[names[0]][0], config.cols)
        if tiles * each > config.res_depth and tiles > unit:
            piece = max(unit, config.res_depth // each // unit * unit)
            out[chain[-1].name] = Pieces(tuple(chain), tuple(names), piece, n + len(chain) - 1)
    return out


def _chain(uses: Uses, n: int, layer: Layer) -> tuple[list[Layer], list[str]]:
    """Layers from the ``n``-th on that can run piece by piece, and what passes between them."""
    layers = uses.net.layers
    chain, names = [layer], []
    if not uses.kind(layer).in_pieces:
        return [], []
    residual = residual_of(layer)
    if neuron_of(layer) is None and residual is not None and not residual.inputs:
        after = layers[n + 1]
        alone = uses.readers[residual.output] == [n + 1]
        added = residual_of(after) if uses.kind(after).in_pieces else None
        if not alone or added is None or added.inputs != (residual.output,):
            return [], []
        chain.append(after)
        names.append(residual.output)
    last = chain[-1]
    if uses.residual(last) or (last is layer and residual is not None and residual.inputs):
        return [], []
    if (kept := uses.kept(last)) is not None:
        at = n + len(chain)
        mean, beyond = layers[at], layers[at + 1]
        if uses.net.stream or uses.sums(kept) != [mean] or uses.kind(beyond).sums_residuals:
            return [], []
        chain.append(mean)
        names.append(kept)
    return chain, names
