"""Integer network to instructions."""

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np

from hw.arch import formats
from hw.arch.config import Config
from hw.arch.memmap import MOST_WORDS
from hw.arch.outside import HALVES, MEGAWORD
from sw.compiler.emit import emissions
from sw.compiler.emit.constants import Constants
from sw.compiler.emit.emitter import Emitter
from sw.compiler.plan.layout import ceil_div
from sw.compiler.plan.placement import Placement
from sw.compiler.plan.spill import Pieces
from sw.compiler.records import Region
from sw.network import IntegerNetwork

#: Settings that follow from the network, and what they are settings of.
FITTABLE = {
    "row_depth": "row memory: {} words per bank",
    "col_depth": "column memory: {} words per bank",
    "res_depth": "residual memory: {} words per bank",
    "pix_depth": "pixel memory: {} words",
    "prog_depth": "program memory: {} words",
    "pool_depth": "line of pools: {} words",
    "acc_bits": "element accumulators: {} bits",
    "state_bits": "stored membranes: {} bits",
    "res_bits": "residual words: {} bits",
}
MOST = {
    "acc_bits": formats.ACC_BITS[1],
    "state_bits": max(formats.STATE_BITS),
    "res_bits": formats.MEMBRANE_BITS,
}


class Mapper(Emitter):
    """One mapping of a network onto a configuration; the constructor does the work.

    Memories are taken to be as deep as needed; `needs` says how deep that is and `problems` what
    no depth would cure.

    ``outside``: names of layers whose constants come from outside while they run.
    """

    def __init__(self, net: IntegerNetwork, config: Config, outside: Collection[str] = ()):
        self.kinds = kinds = emissions()
        place = Placement(net, config, kinds)
        constants = Constants(place, outside)
        for late in (False, True):
            for layer in net.layers:
                if kinds[type(layer)].late == late:
                    constants.layer(kinds[type(layer)], layer)
        place.place_tensors(constants.size, constants.halves)
        super().__init__(net, place, constants)
        pieces = place.residuals.pieces
        for layer in net.layers:
            if layer.name in pieces:
                self._emit_pieces(pieces[layer.name])
            elif not any(p.include(layer) for p in pieces.values()):
                kinds[type(layer)].emit(self, layer)
        self.halt()
        self.needs["prog_depth"] = len(self.words)
        self.regions = [
            *place.regions,
            Region(name="program", memory="prog", base=0, size=len(self.words)),
        ]

    def _emit_pieces(self, pieces: Pieces) -> None:
        tiles = ceil_div(self.place.shape[pieces.names[0]][0], self.config.cols)
        for first in range(0, tiles, pieces.tiles):
            part = range(first, min(first + pieces.tiles, tiles))
            for layer in pieces.layers:
                self.kinds[type(layer)].emit(self, layer, part)

    # ---- fit -------------------------------------------------------------------------------

    def misfits(self) -> list[str]:
        """Return one line per thing that does not fit ``config``."""
        out = list(self.problems)
        for field, text in FITTABLE.items():
            needs, has = self.needs[field], getattr(self.config, field)
            if needs > has:
                most = MOST.get(field, MOST_WORDS)
                cure = (
                    f"{field} >= {needs} would make it fit"
                    if needs <= most
                    else f"no {field} is large enough (at most {most})"
                )
                out.append(f"{text.format(needs)} needed, {has} there; {cure}")
        words, room = len(self.constants.outside), MEGAWORD * self.config.outside
        if self.config.outside and words > room:
            out.append(
                f"memory outside: {words} words needed, {room} there; a board with more, or a "
                "larger col_depth, would make it fit"
            )
        return out


def map_network(net: IntegerNetwork, config: Config) -> Mapper:
    """Map a network, with as few words outside as there is no room for in column memory.

    A core without a mover, and a network that fits, have none there. Each word comes once an image,
    so that fewest words are the least traffic.
    """
    mapper = Mapper(net, config)
    over = mapper.needs["col_depth"] - config.col_depth
    if over <= 0 or not config.block_depth:
        return mapper
    sizes = {
        name: block.words * block.count
        for name, block in mapper.constants.own.items()
        if block.words <= config.block_depth
    }
    outside = least(sizes, over + HALVES * config.block_depth)
    return Mapper(net, config, outside) if outside else mapper


def least(sizes: Mapping[str, int], wanted: int) -> list[str]:
    """Return the names whose sizes add up to the least that is not below ``wanted``.

    All of them where they do not reach it; in their order.
    """
    total = sum(sizes.values())
    if total <= wanted:
        return list(sizes)
    room = total - wanted  # for those that stay: as much of it as can be is taken
    reached = [np.zeros(room + 1, bool)]  # by the first n sizes
    reached[0][0] = True
    for size in sizes.values():
        last = reached[-1]
        more = np.zeros_like(last)
        if size <= room:
            more[size:] = last[: room + 1 - size]
        reached.append(last | more)
    left = int(np.flatnonzero(reached[-1])[-1])
    stay = set()
    for n, (name, size) in reversed(list(enumerate(sizes.items()))):
        if not reached[n][left]:
            stay.add(name)
            left -= size
    return [name for name in sizes if name not in stay]


def required(net: IntegerNetwork, config: Config) -> dict[str, int]:
    """Return the least value of each configuration field that depends on the network.

    Parameters
    ----------
    config : Config
        Gives rows, cols and width, and what the core has at all. Of its depths only res_depth
        matters: what it does not hold runs in pieces where that is possible; and with a mover
        col_depth: constants that it does not hold come from outside. A core with a line for pools,
        however short, is to hold all of them.
    """
    if config.pool_depth:
        config = dataclasses.replace(config, pool_depth=MOST_WORDS)
    least = {"row_depth": 64} if config.block_depth else {"row_depth": 64, "col_depth": 64}
    needs = map_network(net, dataclasses.replace(config, **least)).needs
    smallest = {"acc_bits": 8, "state_bits": 0, "res_bits": 1, "pool_depth": 0}
    if max(needs["res_bits"], config.res_bits) == 1:
        smallest["res_depth"] = 16
    return {name: max(needs[name], smallest.get(name, 64)) for name in FITTABLE}


def fit_config(net: IntegerNetwork, config: Config) -> Config:
    """Return ``config`` with depths and widths enlarged as far as the network needs.

    Where no core is large enough they are as large as can be; compiling then tells the misfit.
    """
    needs = required(net, config)
    return dataclasses.replace(
        config,
        **{
            name: max(min(value, MOST.get(name, MOST_WORDS)), getattr(config, name))
            for name, value in needs.items()
        },
    )
