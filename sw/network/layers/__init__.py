"""The layer kinds of an integer network: one file each, and one line in KINDS.

docs/develop/layer.md walks through adding one.
"""

from sw.network.layers.attention_apply import AttentionApply
from sw.network.layers.attention_map import AttentionMap
from sw.network.layers.base import LaneLayer, Layer, neuron_of, residual_of, shortcut_of
from sw.network.layers.binary import BinaryLayer
from sw.network.layers.head import Head
from sw.network.layers.kinds import KINDS, layer_kinds
from sw.network.layers.mean import Mean
from sw.network.layers.pixel import PixelConv
from sw.network.layers.pool import SpikePool

__all__ = [
    "KINDS",
    "AttentionApply",
    "AttentionMap",
    "BinaryLayer",
    "Head",
    "LaneLayer",
    "Layer",
    "Mean",
    "PixelConv",
    "SpikePool",
    "layer_kinds",
    "neuron_of",
    "residual_of",
    "shortcut_of",
]
