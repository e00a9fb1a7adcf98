"""What a run does when: its learning rate and the order of its images."""

import math

import torch
from torch import Tensor

from sw.families.options import TrainOptions


def learning_rate(options: TrainOptions, progress: float) -> float:
    """Learning rate ``progress`` epochs into the run."""
    warms = options.warms
    if progress < warms:
        return options.lr * progress / warms
    done = (progress - warms) / (options.epochs - warms) if warms < options.epochs else 1.0
    return options.lr * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


def image_order(options: TrainOptions, epoch: int, images: int) -> Tensor:
    """Order of the training images in an epoch, the same in all processes; int64 (images,)."""
    generator = torch.Generator().manual_seed((options.seed * 1_000_003 + epoch) % 2**63)
    return torch.randperm(images, generator=generator)
