"""A measured value beside its floor, as one line of text."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A bound of this project on one figure."""

    bound: float
    unit: str = ""
    least: bool = False  #: The value must be at least the bound, not at most.
    digits: int = 0  #: Digits after the point.

    def met(self, value: float) -> bool:
        """Whether ``value`` keeps the bound."""
        return value >= self.bound if self.least else value <= self.bound

    def line(self, what: str, value: float) -> str:
        """Return name, value, bound and verdict."""
        side = "at least" if self.least else "at most"
        verdict = "PASS" if self.met(value) else "MISS"
        return (
            f"  {what:<40} {value:>12,.{self.digits}f} {self.unit:<6} "
            f"{side} {self.bound:,.{self.digits}f}  {verdict}"
        )


def plain(what: str, value: float, unit: str = "", digits: int = 0) -> str:
    """Return a figure that has no floor, in the same columns."""
    return f"  {what:<40} {value:>12,.{digits}f} {unit}".rstrip()
