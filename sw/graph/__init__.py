"""The float graph: what a trained network computes, whatever family it came from.

A graph is a tuple of nodes in execution order. Each node reads tensors by name and writes one
tensor called by its own ``name`` (the authors' module path). The image is the tensor ``IMAGE``,
already normalised. The graph holds no image size: it is bound when images arrive or when the
network is lowered. It is data with checks; `sw.graph.execute` runs it.
"""

from sw.graph.network import FloatNetwork
from sw.graph.nodes import (
    IMAGE,
    LIF,
    Add,
    Apply,
    Average,
    AveragePool,
    BatchNorm,
    Conv,
    Flatten,
    HeadAverage,
    Linear,
    MaxPool,
    MeanSteps,
    MeanTokens,
    Node,
    Scale,
    Similarity,
    sources,
)
from sw.graph.quantisers import binarise, integers, power_of_two, quantise

__all__ = [
    "IMAGE",
    "LIF",
    "Add",
    "Apply",
    "Average",
    "AveragePool",
    "BatchNorm",
    "Conv",
    "Flatten",
    "FloatNetwork",
    "HeadAverage",
    "Linear",
    "MaxPool",
    "MeanSteps",
    "MeanTokens",
    "Node",
    "Scale",
    "Similarity",
    "binarise",
    "integers",
    "power_of_two",
    "quantise",
    "sources",
]
