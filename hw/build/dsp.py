"""Whether a board's part has the multipliers and adders that a core takes, before anything is made.

Block RAM and LUTs are counted in the netlist; DSPs follow from the configuration alone, and where
there are too few the configuration that would do can be named.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping

from boards import Board
from hw.arch.config import Config
from hw.arch.formats import FIELD_BITS
from hw.arch.parts import dsps
from hw.common.errors import SpikeloomError


def refuse_too_many(board: Board, primitives: str) -> None:
    """Raise SpikeloomError where the core of a board takes more DSPs than its part has.

    Parameters
    ----------
    primitives : what the core's array and lanes are made of, as ``hw.targets`` has it.
    """
    most = board.resources.get("dsp")
    needs = dsps(board.config, primitives)
    if most is None or sum(needs.values()) <= most:
        return
    parts = " and ".join(f"{n} for its {name}" for name, n in needs.items() if n)
    cure = next(
        (change for change in _changes(board.config) if _total(board, change, primitives) <= most),
        None,
    )
    raise SpikeloomError(
        f"{board.title} has {most} DSPs, but a core of this configuration takes "
        f"{sum(needs.values())}, {parts}; "
        + (
            f"{','.join(f'{name}={value}' for name, value in cure.items())} would make it fit"
            if cure
            else "choose a larger board or a smaller core configuration"
        )
    )


def _total(board: Board, change: Mapping[str, int], primitives: str) -> int:
    return sum(dsps(dataclasses.replace(board.config, **change), primitives).values())


def _changes(config: Config) -> Iterator[dict[str, int]]:
    """Yield changes of settings that save DSPs, the fewest and least costly first."""
    narrow = FIELD_BITS[0] + 1
    settings = {
        "pixels": [n for n in (2, 1) if n < config.tile_pixels],
        "means": [0] * bool(config.means),
        "acc_bits": [narrow] * (config.acc_bits > narrow),
    }
    for n in range(1, len(settings) + 1):
        for names in itertools.combinations(settings, n):
            for values in itertools.product(*(settings[name] for name in names)):
                yield dict(zip(names, values, strict=True))
