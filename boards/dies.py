"""Dies of FPGAs: their target family, what there is of each resource, and their block RAM."""

from dataclasses import dataclass, field

from hw.arch.parts import Ram
from hw.common.errors import SpikeloomError

_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))


@dataclass(frozen=True, kw_only=True)
class Block:
    """The block RAM of a family, for forecasts from widths and depths alone.

    Both its ports can read: a memory that two read needs no copy.
    """

    resource: str  #: Its name among the resources of a die.
    title: str
    ram: Ram
    each: int = 1  #: RAMs of the kind ``ram`` in one block of the budget.
    spared: bool = False  #: Memories that can be made of LUTs (``Memory.small``) are.


RAMB36 = Block(
    resource="bram36",
    title="RAMB36",
    ram=Ram(name="RAMB18E1", count=0, shapes=_SHAPES),
    each=2,
    spared=True,
)
DP16KD = Block(resource="bram18", title="DP16KD", ram=Ram(name="DP16KD", count=0, shapes=_SHAPES))


@dataclass(frozen=True, kw_only=True)
class Die:
    """One die.

    ``resources`` is its budget, by the names that its family's target counts cells under
    (``hw.targets``).
    """

    family: str  #: A key of ``hw.targets.TARGETS``.
    block: Block
    resources: dict[str, int] = field(hash=False)


def _xc7(lut: int, bram36: int, dsp: int) -> Die:
    budget = {"lut": lut, "ff": 2 * lut, "bram36": bram36, "dsp": dsp}
    return Die(family="xc7", block=RAMB36, resources=budget)


def _ecp5(lut: int, bram18: int, dsp: int) -> Die:
    budget = {"lut": lut, "ff": lut, "bram18": bram18, "dsp": dsp}
    return Die(family="ecp5", block=DP16KD, resources=budget)


#: What a part's name begins with, and its die.
DIES = {
    "xc7s25": _xc7(14_600, 45, 80),
    "xc7s50": _xc7(32_600, 75, 120),
    "xc7a15t": _xc7(10_400, 25, 45),
    "xc7a35t": _xc7(20_800, 50, 90),
    "xc7a50t": _xc7(32_600, 75, 120),
    "xc7a75t": _xc7(47_200, 105, 180),
    "xc7a100t": _xc7(63_400, 135, 240),
    "xc7a200t": _xc7(134_600, 365, 740),
    "xc7k325t": _xc7(203_800, 445, 840),
    "xc7z010": _xc7(17_600, 60, 80),
    "xc7z020": _xc7(53_200, 140, 220),
    "LFE5U-12F": _ecp5(24_288, 56, 28),  # the die of the 25F, of which nextpnr uses all
    "LFE5U-25F": _ecp5(24_288, 56, 28),
    "LFE5U-45F": _ecp5(43_848, 108, 72),
    "LFE5U-85F": _ecp5(83_640, 208, 156),
    "LFE5UM-25F": _ecp5(24_288, 56, 28),
    "LFE5UM-45F": _ecp5(43_848, 108, 72),
    "LFE5UM-85F": _ecp5(83_640, 208, 156),
    "LFE5UM5G-25F": _ecp5(24_288, 56, 28),
    "LFE5UM5G-45F": _ecp5(43_848, 108, 72),
    "LFE5UM5G-85F": _ecp5(83_640, 208, 156),
}


def die(part: str, board: str) -> Die:
    """Return the die of a part; SpikeloomError, which names the board, lists the known ones."""
    found = [name for name in DIES if part.lower().startswith(name.lower())]
    if not found:
        raise SpikeloomError(
            f"board {board}: part {part!r} is of no known die; known dies: {', '.join(DIES)}; a "
            "new one is a line of DIES in boards/dies.py"
        )
    return DIES[max(found, key=len)]
