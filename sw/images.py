"""Checks of a batch of images, the same for float and integer networks."""

from typing import Any

import numpy as np

from hw.common.errors import SpikeloomError

GREY = (0.299, 0.587, 0.114)  #: Weights of red, green and blue in a grey pixel (ITU-R BT.601).
COLOURS = (3, 4)  #: Channels of RGB and RGBA.
WHITES = (255, 1023, 4095, 65535)  #: Largest pixels of usual depths.


def as_frames(
    images: Any,
    *,
    channels: int,
    steps: int,
    size: tuple[int, int] | None = None,
    per_step: bool | None = None,
) -> np.ndarray:
    """Images as uint8 frames (B, F, C, H, W), F = 1 (the same at every step) or ``steps``.

    ``images`` is (B, H, W) where ``channels`` is 1, (B, C, H, W), or (B, T, C, H, W) with one
    frame per step; channels may come last instead, where the shape leaves no doubt. It is an array
    or a tensor, or a list of such images of one shape; one PIL image is a batch of one. Pixels are
    whole numbers 0 to 255 of any type; floats 0 to 1 and normalised ones are refused.

    ``size`` (height, width) and ``per_step`` are checked where given.
    """
    array, name = _array(images, channels)
    if not array.size:
        raise SpikeloomError(f"Images are empty: shape {array.shape}; give at least one image")
    array, name = _axes(_pixels(array, name), name, channels, steps, size)
    _check_frames(array, name, channels, steps, per_step)
    frames = array if array.ndim == 5 else array[:, None]
    if size is not None and frames.shape[3:] != tuple(size):
        height, width = frames.shape[3:]
        cure = "resize them or lower with size=(H, W)"
        if (width, height) == tuple(size):
            cure = f"give {name}.swapaxes(-1, -2) if height and width have changed places"
        raise SpikeloomError(
            f"Images are {height}x{width} (height x width), the network is lowered for "
            f"{size[0]}x{size[1]}; {cure}"
        )
    return frames


# ---- containers


def _array(images: Any, channels: int) -> tuple[np.ndarray, str]:
    """Return the array that ``images`` is, and a Python expression for it."""
    if _is_picture(images):
        return _picture(images, channels)[None], "numpy.asarray(images)[None]"
    if not isinstance(images, list | tuple):
        return _plain(images)
    if any(isinstance(item, list | tuple | int | float) for item in images):
        raise SpikeloomError(
            f"Images must be a numpy array, not {type(images).__name__} of numbers; give "
            "numpy.asarray(images)"
        )
    parts = [_picture(i, channels) if _is_picture(i) else _plain(i)[0] for i in images]
    return _stack(parts), "numpy.stack([numpy.asarray(image) for image in images])"


def _plain(images: Any) -> tuple[np.ndarray, str]:
    """The array of an array, a tensor or what numpy takes for one."""
    if isinstance(images, np.ma.MaskedArray) and np.ma.is_masked(images):
        raise SpikeloomError(
            "Images are a masked array, and a masked pixel is none; give images.filled(0), or what "
            "else is to stand there"
        )
    if isinstance(images, np.ndarray):
        return np.asarray(images), "images"
    if isinstance(images, str | bytes | None) or not (hasattr(images, "__array__")):
        cure = "give an array of uint8 pixels"
        if isinstance(images, str):
            cure = "read the file first, such as by numpy.load"
        elif hasattr(images, "test_images"):
            cure = "give its test_images"
        elif hasattr(images, "batch_size") and hasattr(images, "__iter__"):
            cure = "give the images of one batch, next(iter(images))[0]"
        raise SpikeloomError(f"Images must be a numpy array, not {type(images).__name__}; {cure}")
    try:
        detach = getattr(images, "detach", None)  # of a torch tensor, which may be on a GPU
        if detach is None:
            return np.asarray(images), "numpy.asarray(images)"
        tensor = detach().cpu()
        if str(tensor.dtype) == "torch.bfloat16":
            tensor = tensor.float()
        return tensor.numpy(), "images.detach().cpu().numpy()"
    except (TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:150]
        raise SpikeloomError(
            f"Images must be a numpy array, and this {type(images).__name__} cannot become one "
            f"({reason}); give a dense array of uint8 pixels"
        ) from None


def _stack(parts: list[np.ndarray]) -> np.ndarray:
    """One array of the images of a list."""
    shapes = sorted({part.shape for part in parts})
    if len(shapes) > 1:
        raise SpikeloomError(
            f"Images of a list must have one shape, not {', '.join(map(str, shapes[:3]))}; bring "
            "them to one size, and where the list is (images, labels), give its first part"
        )
    return np.stack(parts) if parts else np.zeros((0, 0, 0), np.uint8)


def _is_picture(value: Any) -> bool:
    """Whether it is an image of PIL."""
    return any(kind.__module__.startswith("PIL.") for kind in type(value).__mro__)


def _picture(image: Any, channels: int) -> np.ndarray:
    """Pixels of a PIL image, (H, W) or (C, H, W)."""
    mode = {1: "L", 3: "RGB"}.get(channels)
    if mode is None:
        raise SpikeloomError(
            f"Images must be a numpy array of {channels} channels, and a PIL image has none such; "
            f"give (B, {channels}, H, W)"
        )
    if image.mode != mode:
        raise SpikeloomError(
            f"A PIL image is of mode {image.mode!r}, and the network reads {channels} "
            f"channel{'s' * (channels > 1)} of 8 bits; give image.convert({mode!r})"
        )
    pixels = np.asarray(image)
    return pixels if mode == "L" else pixels.transpose(2, 0, 1)


# ---- pixels


def _pixels(array: np.ndarray, name: str) -> np.ndarray:
    """The same as uint8, where every value is a pixel for sure."""
    if array.dtype == np.uint8:
        return array
    kind = array.dtype.kind
    if kind == "b":
        raise SpikeloomError(
            "Images must be uint8 pixels 0 to 255, not bool; where true is white, give ("
            f"{name} * 255).astype(numpy.uint8), where it is a count of one, "
            f"{name}.astype(numpy.uint8)"
        )
    if kind not in "iuf":
        raise SpikeloomError(
            f"Images must be uint8 pixels 0 to 255, not {array.dtype}; give whole numbers"
        )
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise SpikeloomError(
            "Images must be uint8 pixels 0 to 255, and some here are not finite; replace them, "
            "such as by numpy.nan_to_num, and give whole numbers 0 to 255"
        )
    whole = kind != "f" or bool((array == np.floor(array)).all())
    if low >= 0 and high <= 255 and whole and (kind != "f" or high > 1):
        return array.astype(np.uint8)
    what = f"not {array.dtype} from {low:.6g} to {high:.6g}"
    must = f"Images must be uint8 pixels 0 to 255, {what}"
    if kind == "f" and low >= 0 and high <= 1:
        raise SpikeloomError(
            f"{must}; give ({name} * 255).round().astype(numpy.uint8), without normalising: the "
            "network normalises"
        )
    if kind == "f" and low >= 0 and high <= 255 and high > 16:
        raise SpikeloomError(f"{must}; give {name}.round().astype(numpy.uint8)")
    if kind == "f" and low > -16 and high <= 16:
        raise SpikeloomError(
            f"{must}; these look normalised, and the network normalises: leave Normalize out of "
            f"the transforms, or undo it, with mean and std of shape (C, 1, 1), by (({name} * std "
            "+ mean) * 255).round().clip(0, 255).astype(numpy.uint8)"
        )
    if array.dtype == np.int8:
        raise SpikeloomError(
            f"{must}; give {name}.view(numpy.uint8) if these are bytes that were read as int8"
        )
    if low < 0:
        raise SpikeloomError(f"{must}; pixels are 0 (black) and more: shift and scale them")
    white = next((white for white in WHITES if white >= high), None)
    if white is None:
        raise SpikeloomError(f"{must}; scale them so that white is 255")
    raise SpikeloomError(
        f"{must}; scale them: if white is {white}, give ({name} / {white} * 255).round()"
        ".astype(numpy.uint8)"
    )


# ---- axes


def _axes(
    array: np.ndarray, name: str, channels: int, steps: int, size: tuple[int, int] | None
) -> tuple[np.ndarray, str]:
    """Bring an array to (B, C, H, W) or (B, T, C, H, W), with an expression for the result.

    What has no clear place for its axes is refused.
    """
    want = f"(B, {channels}, H, W) or (B, {steps}, {channels}, H, W)"
    if channels == 1:
        want = f"(B, H, W), {want}"
    shape = array.shape
    if array.ndim not in (3, 4, 5) or (array.ndim == 3 and channels != 1):
        cure = _batch_cure(shape, name, channels, size)
        raise SpikeloomError(f"Images must have shape {want}, not {shape}{cure}")
    if array.ndim == 3:
        if shape[2] in (1, *COLOURS) and min(shape[:2]) > 4 and shape[1:] != size:
            raise SpikeloomError(
                f"Images must have shape {want}, and {shape} looks like one image (H, W, "
                f"{shape[2]}); give {_grey(name, shape[2], -1)}[None]"
            )
        array, name = array[:, None], f"{name}[:, None]"
    axis = array.ndim - 3
    last = array.shape[-1] == channels
    other = array.shape[axis] != channels
    if last and not other and size is not None:  # as many rows as channels
        other = array.shape[axis + 1 :] != tuple(size) and array.shape[axis:-1] == tuple(size)
    if last and other:
        array = np.ascontiguousarray(np.moveaxis(array, -1, axis))
        name = f"numpy.moveaxis({name}, -1, {axis})"
    if array.shape[axis] != channels:
        cure = _channel_cure(array.shape, name, channels, steps)
        raise SpikeloomError(
            f"Images have {array.shape[axis]} channels in shape {shape}, the network reads "
            f"{channels}; {cure or f'give {want}'}"
        )
    return array, name


def _check_frames(
    array: np.ndarray, name: str, channels: int, steps: int, per_step: bool | None
) -> None:
    """Refuse (B, C, H, W) or (B, T, C, H, W) where the network reads the other."""
    shape = array.shape
    if array.ndim == 5 and shape[1] != steps:
        cure = "give one frame per step"
        if shape[1] == 1:
            cure = f"give {name}[:, 0] for one image"
        elif shape[0] == steps:
            cure = f"give {name}.swapaxes(0, 1) if the steps come first"
        elif shape[0] == 1:
            cure = f"give {name}[0] for a batch of {shape[1]} images"
        raise SpikeloomError(
            f"Images have {shape[1]} frames in shape {shape}, the network runs {steps} steps; "
            f"{cure}"
        )
    if per_step and array.ndim != 5:
        cure = f"give {name}[:, None].repeat({steps}, axis=1) for the same frame at every step"
        if shape[0] == steps:
            cure = f"give {name}[None] for the frames of one image"
        raise SpikeloomError(
            f"The network reads one frame per step, (B, {steps}, {channels}, H, W), not shape "
            f"{shape}; {cure}, or lower with per_step=False"
        )
    if per_step is False and array.ndim == 5:
        raise SpikeloomError(
            f"The network reads one image for all steps, not shape {shape}; give {name}[:, 0] "
            "where all steps have the same, or lower with per_step=True to give one frame per step"
        )


def _grey(name: str, colours: int, axis: int) -> str:
    """Expression for the grey images of ``colours`` channels at ``axis``, without that axis."""
    if colours in COLOURS:
        cut = {-1: "[..., :3]", 1: "[:, :3]", 2: "[:, :, :3]"}[axis] if colours == 4 else ""
        return f"numpy.tensordot({name}{cut}, {GREY}, ({axis}, 0)).round().astype(numpy.uint8)"
    return f"{name}[..., 0]" if axis == -1 else f"{name}[{':, ' * axis}0]"


def _batch_cure(
    shape: tuple[int, ...], name: str, channels: int, size: tuple[int, int] | None
) -> str:
    """What to do about a wrong number of axes; "" where nothing is known."""
    if size is not None and len(shape) in (1, 2):
        if shape[-1] == channels * size[0] * size[1]:
            return f"; give {name}.reshape(-1, {channels}, {size[0]}, {size[1]})"
    if len(shape) == 2:
        one = f"{name}[None]" if channels == 1 else f"{name}[None, None].repeat({channels}, axis=1)"
        flat = f"{name}.reshape(-1, {channels}, H, W)"
        known = size is not None and shape == tuple(size)
        return f"; give {one} for one image" + f", {flat} for flat ones" * (not known)
    if len(shape) != 3:
        return ""
    several = f", {name}[:, None].repeat({channels}, axis=1) for grey ones"
    if shape[0] == channels and shape[2] != channels:
        return f"; give {name}[None] for one image{several}"
    if shape[2] == channels:
        return f"; give {name}.transpose(2, 0, 1)[None] for one image"
    if channels == 3 and shape[2] == 4:
        return f"; give {name}[..., :3].transpose(2, 0, 1)[None] for one image"
    if channels == 3 and shape[2] == 1:
        return f"; give {name}.transpose(2, 0, 1)[None].repeat(3, axis=1) for one image"
    if channels == 3 and shape[0] == 4:
        return f"; give {name}[None, :3] for one image{several}"
    return f"; give {several[2:]}" if channels == 3 else ""


def _channel_cure(shape: tuple[int, ...], name: str, channels: int, steps: int) -> str:
    """What to do about other channels in 4 or 5 axes; "" where nothing is known."""
    axis = len(shape) - 3
    got, last = shape[axis], shape[-1]
    colours, at = (got, axis) if got in (1, *COLOURS) else (last, -1)
    first = ":, " * axis
    if len(shape) == 5 and shape[1] == channels and got == steps:
        return f"give {name}.swapaxes(1, 2) if the channels come before the steps"
    if channels == 1 and len(shape) == 4 and got == steps and last not in COLOURS:
        return f"give {name}[:, :, None] for one frame per step"
    if channels == 1 and colours in COLOURS:
        again = "[:, :, None]" * (len(shape) == 5)
        return f"they look coloured: give {_grey(name, colours, at)}{again}"
    if channels == 3 and colours == 1:
        moved = name if at == axis else f"numpy.moveaxis({name}, -1, {axis})"
        return f"they look grey: give {moved}.repeat(3, axis={axis})"
    if channels == 3 and colours == 4:
        cut = f"[{first}:3]" if at == axis else "[..., :3]"
        return f"they look like RGBA: give {name}{cut}"
    return ""
