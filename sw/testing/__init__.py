"""Small random integer networks whose neurons do fire: food for compiler and bench tests."""

from sw.testing.attention import random_network
from sw.testing.dense import dense_network
from sw.testing.maker import random_images
from sw.testing.ranges import random_core, random_wide_network
from sw.testing.residual import random_residual_network

__all__ = [
    "dense_network",
    "random_core",
    "random_images",
    "random_network",
    "random_residual_network",
    "random_wide_network",
]
