"""Helpers of components that wire others: their parts as submodules, arrays of ports."""

from typing import Any

from amaranth import Module
from amaranth.lib import wiring


def add_parts(m: Module, owner: wiring.Component) -> None:
    """Add every component that is an attribute of ``owner`` as a submodule of that name."""
    for name, part in vars(owner).items():
        submodule: Any = part
        if isinstance(part, wiring.Component):
            m.submodules[name] = submodule


def each(targets, values) -> list:
    """Return the assignments of arrays of equal length, element by element."""
    return [target.eq(value) for target, value in zip(targets, values, strict=True)]
