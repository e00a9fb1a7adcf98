"""How well the integer network agrees with the float network: ``python -m sw.agree MODEL``.

Three measures, each with a floor: accuracy on the test split, equal predictions, and local spike
error: the share of wrong spikes of each layer when it is fed the float network's own tensors.
``--alpha`` measures what it costs to freeze the scale of stored membranes.
"""

from sw.agree.alpha import AlphaRow, AlphaTable, alpha_table
from sw.agree.command import main
from sw.agree.measure import Agreement, Reference, agreement, sweep
from sw.agree.splits import Split, data_split, digits_split, fixture, fixture_split

__all__ = [
    "Agreement",
    "AlphaRow",
    "AlphaTable",
    "Reference",
    "Split",
    "agreement",
    "alpha_table",
    "data_split",
    "digits_split",
    "fixture",
    "fixture_split",
    "main",
    "sweep",
]
