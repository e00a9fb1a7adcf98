"""What a board is."""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any, Self

from boards import dies
from boards.memory import Memory
from boards.platform import Facts, facts, platform_class
from hw.arch.config import Config
from hw.common.errors import SpikeloomError


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board: what its platform in amaranth-boards does not know.

    Package, speed and pins, the clock and the reset button come from that platform, which is
    imported where they are asked for; it must agree with ``part``. The budget is the die's.
    SpikeloomError names the board where something cannot be.
    """

    name: str  #: Also of the file that holds it.
    title: str
    part: str  #: As its maker writes it, package and speed included.
    platform: str  #: The platform's class, ``module:class``.
    core_clock: int  #: Wanted of the family's PLL, Hz; one that it cannot make is refused.
    config: Config  #: The core that is built unless told otherwise.
    loader: str = ""  #: openFPGALoader's name of the board.
    outside: tuple[Memory, ...] = ()  #: For cores with a mover; the first, unless told otherwise.

    def __post_init__(self) -> None:
        if self.core_clock <= 0:
            raise SpikeloomError(
                f"board {self.name}: core_clock = {self.core_clock}, but it must be positive, in Hz"
            )
        dies.die(self.part, self.name)

    @property
    def memory(self) -> Memory | None:
        """The memory outside that its core has, if that has a mover; None where there is none."""
        return self.outside[0] if self.outside else None

    def having(self, kind: str) -> Self:
        """Return the board with the memory outside of a kind alone; SpikeloomError without one."""
        found = tuple(memory for memory in self.outside if memory.kind == kind)
        if not found:
            kinds = ", ".join(memory.kind for memory in self.outside)
            raise SpikeloomError(
                f"board {self.name}: no memory outside is a {kind!r}; this Spikeloom knows "
                f"{kinds or 'none'} of this board"
            )
        return dataclasses.replace(self, outside=found)

    @property
    def die(self) -> dies.Die:
        """Its part's die."""
        return dies.die(self.part, self.name)

    @property
    def family(self) -> str:
        """Its target family, a key of ``hw.targets.TARGETS``."""
        return self.die.family

    @property
    def resources(self) -> dict[str, int]:
        """Its part's budget."""
        return self.die.resources

    @functools.cached_property
    def facts(self) -> Facts:
        """What its platform tells; SpikeloomError where that is another part's."""
        return facts(self.make_platform(), self.name, self.part)

    @property
    def clock(self) -> int:
        """Its oscillator, Hz."""
        return self.facts.clock

    def make_platform(self, base: type | None = None) -> Any:
        """Return its amaranth-boards platform, as a subclass that has ``base`` first."""
        found = platform_class(self.platform, self.name)
        return type(found.__name__, (base, found) if base else (found,), {})()
