"""Light augmentation of small grey images, in torch."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(images: Tensor, factor: int, strength: float = 1.0) -> Tensor:
    """Randomly moved, turned, stretched and dimmed copies of uint8 images.

    The image is moved at its own resolution before pixels were repeated, so that it stays made of
    equal squares; then it shifts by up to ``factor`` / 2 whole pixels. Draws from torch's RNG.

    Parameters
    ----------
    images : Tensor
        uint8 (B, C, H, W), every pixel repeated ``factor`` times per side.
    factor : int
        H and W are multiples of it.
    strength : float
        Multiplies every range; 0 leaves the images alone.

    Returns
    -------
    Tensor
        float32 (B, C, H, W), 0 to 255.
    """
    x = images.float()
    if strength == 0:
        return x
    small = x[..., ::factor, ::factor]
    b, _, h, w = small.shape

    def uniform(limit: float) -> Tensor:
        return (torch.rand(b) * 2.0 - 1.0) * (limit * strength)

    angle, shear = uniform(math.radians(12.0)), uniform(0.15)
    across, down = 1.0 + uniform(0.12), 1.0 + uniform(0.12)
    cos, sin = torch.cos(angle), torch.sin(angle)
    matrix = torch.stack(
        [
            torch.stack([cos * across, (shear * cos - sin) * down, uniform(1.5 / w)], 1),
            torch.stack([sin * across, (shear * sin + cos) * down, uniform(1.5 / h)], 1),
        ],
        1,
    )  # (B, 2, 3), of coordinates -1 to 1
    grid = F.affine_grid(matrix, list(small.shape), align_corners=False)
    small = F.grid_sample(small, grid, padding_mode="zeros", align_corners=False)
    small = small * (1.0 + uniform(0.1)).view(-1, 1, 1, 1) + torch.randn_like(small) * (
        6.0 * strength
    ) * (small > 0)
    x = small.clamp(0.0, 255.0).repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    reach = factor // 2
    if reach:
        # A shifted window into the padded image, one shift per image.
        dy, dx = torch.randint(-reach, reach + 1, (2, b))
        padded = F.pad(x, (reach,) * 4)
        rows = torch.arange(x.shape[2]) + reach + dy[:, None]  # (B, H)
        columns = torch.arange(x.shape[3]) + reach + dx[:, None]  # (B, W)
        x = padded[torch.arange(b)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
        x = x.movedim(-1, 1)
    return x.contiguous()
