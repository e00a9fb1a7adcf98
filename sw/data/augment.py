"""Light augmentation of images, in torch."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BORDER = 4  #: Pixels by which photographs move at strength 1.


def shifted(x: Tensor, reach: int) -> Tensor:
    """Return images (B, ..., H, W) moved by up to ``reach`` whole pixels each way; 0 moves in."""
    if not reach:
        return x
    b, h, w = len(x), x.shape[-2], x.shape[-1]
    dy, dx = torch.randint(-reach, reach + 1, (2, b)).to(x.device)
    padded = F.pad(x, (reach,) * 4)
    rows = torch.arange(h, device=x.device) + reach + dy[:, None]  # (B, H)
    columns = torch.arange(w, device=x.device) + reach + dx[:, None]  # (B, W)
    # a shifted window into the padded image, one shift per image
    picked = padded.flatten(1, -3) if x.ndim > 3 else padded[:, None]
    picked = picked[
        torch.arange(b, device=x.device)[:, None, None], :, rows[:, :, None], columns[:, None, :]
    ]
    return picked.movedim(-1, 1).reshape(x.shape)


def augment_photographs(images: Tensor, strength: float = 1.0) -> Tensor:
    """Return randomly mirrored copies of uint8 images, moved by up to 4 pixels times ``strength``.

    Images (B, C, H, W), or frames (B, T, C, H, W), which move together; float32, 0 to 255.
    """
    x = images.float()
    if strength == 0:
        return x
    mirrored = (torch.rand(len(x)) < 0.5).to(x.device).view(-1, *[1] * (x.ndim - 1))
    return shifted(torch.where(mirrored, x.flip(-1), x), round(BORDER * strength)).contiguous()


def augment_events(images: Tensor, strength: float = 1.0) -> Tensor:
    """Return frames (B, T, C, H, W) moved by up to an eighth of a side times ``strength``.

    They are not mirrored: gestures have a side.
    """
    return shifted(images.float(), round(images.shape[-1] / 8 * strength)).contiguous()


def augment(images: Tensor, factor: int, strength: float = 1.0) -> Tensor:
    """Return randomly moved, turned, stretched and dimmed copies of uint8 images.

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
        return ((torch.rand(b) * 2.0 - 1.0) * (limit * strength)).to(x.device)

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
    return shifted(x, factor // 2).contiguous()
