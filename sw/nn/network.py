"""What the torch models of all families have in common."""

from typing import Any

import torch
from torch import Tensor, nn

from hw.common.errors import SpikeloomError
from sw.nn.rounding import PixelRounding, SumRounding

Trace = dict[str, Tensor]  #: Module path of a neuron to its spikes (T, B, ...).


class Network(nn.Module):
    """A family's network; its state dict has the authors' keys and shapes.

    Parameters
    ----------
    config : sw.families.fields.Config
        Every size and mode.
    """

    title = "Network"  #: The family's, for messages.
    config: Any
    _mean: Tensor  # (C, 1, 1)
    _std: Tensor

    def __init__(self, config: Any):
        super().__init__()
        self.config = config
        self.register_buffer("_mean", torch.tensor(config.mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(config.std).view(-1, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """(pixel / 255 - mean) / std of uint8 images (..., C, H, W), float32."""
        return (images.float() / 255.0 - self._mean) / self._std

    def mean_logits(
        self, x: Tensor, trace: Trace | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """Logits (B, classes), whose largest is the predicted class.

        Parameters
        ----------
        x : Tensor
            Normalised images, (B, C, H, W) shown at every step or (B, T, C, H, W).
        trace : dict, optional
            Receives every neuron's spikes under its module path.
        lengths : Tensor, optional
            Frames of each sequence that count, the first ones, (B,); all where it is not given.
        """
        raise NotImplementedError

    def give_pixels(self, rounding: PixelRounding) -> None:
        """Compute the first convolution by ``rounding`` from now on."""
        raise NotImplementedError

    def check_images(self, x: Tensor) -> None:
        """Refuse normalised images of another shape than the configuration's."""
        c = self.config
        image = (c.channels, c.height, c.width)
        if tuple(x.shape[1:]) not in (image, (c.steps, *image)):
            raise SpikeloomError(
                f"{self.title} input: shape {tuple(x.shape)}, wanted (B, {c.channels}, {c.height}, "
                f"{c.width}) or (B, {c.steps}, {c.channels}, {c.height}, {c.width}); "
                "resize the images or change the configuration"
            )


class Summing(nn.Module):
    """A module that adds a branch to residual streams, with ``rounding`` in whole units."""

    rounding: SumRounding | None = None

    def sum_units(self, plain: float) -> float:
        """Units per 1.0 of its sums; ``plain`` are those of a network's residual streams."""
        return plain
