"""Checks of a batch of images, the same for float and integer networks."""

import numpy as np

from hw.common.errors import SpikeloomError


def as_frames(
    images: np.ndarray,
    *,
    channels: int,
    steps: int,
    size: tuple[int, int] | None = None,
    per_step: bool | None = None,
) -> np.ndarray:
    """Images as uint8 frames (B, F, C, H, W), F = 1 (the same at every step) or ``steps``.

    ``images`` is (B, H, W) where ``channels`` is 1, (B, C, H, W), or (B, T, C, H, W) with one
    frame per step. ``size`` (height, width) and ``per_step`` are checked where given.
    """
    if not isinstance(images, np.ndarray):
        raise SpikeloomError(
            f"Images must be a numpy array, not {type(images).__name__}; use numpy.asarray"
        )
    if images.dtype != np.uint8:
        raise SpikeloomError(
            f"Images must be uint8 pixels 0 to 255, not {images.dtype}; "
            "convert them, without normalising: the network normalises"
        )
    want = f"(B, {channels}, H, W) or (B, {steps}, {channels}, H, W)"
    if channels == 1:
        want = f"(B, H, W), {want}"
    if images.ndim == 3 and channels == 1:
        frames = images[:, None, None]
    elif images.ndim == 4:
        frames = images[:, None]
    elif images.ndim == 5:
        frames = images
    else:
        raise SpikeloomError(f"Images must have shape {want}, not {images.shape}")
    if frames.shape[2] != channels:
        raise SpikeloomError(
            f"Images have {frames.shape[2]} channels in shape {images.shape}, "
            f"the network reads {channels}; give {want}"
        )
    if images.ndim == 5 and frames.shape[1] != steps:
        raise SpikeloomError(
            f"Images have {frames.shape[1]} frames in shape {images.shape}, "
            f"the network runs {steps} steps; give one frame per step"
        )
    if 0 in frames.shape:
        raise SpikeloomError(f"Images are empty: shape {images.shape}; give at least one image")
    if size is not None and frames.shape[3:] != tuple(size):
        raise SpikeloomError(
            f"Images are {frames.shape[3]}x{frames.shape[4]} (height x width), the network is "
            f"lowered for {size[0]}x{size[1]}; resize them or lower with size=(H, W)"
        )
    if per_step is not None and per_step != (images.ndim == 5):
        if per_step:
            raise SpikeloomError(
                f"The network reads one frame per step, (B, {steps}, {channels}, H, W), "
                f"not shape {images.shape}; lower with per_step=False to give one image"
            )
        raise SpikeloomError(
            f"The network reads one image for all steps, not shape {images.shape}; "
            "lower with per_step=True to give one frame per step"
        )
    return frames
