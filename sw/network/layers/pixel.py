"""The first, multi-bit convolution."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hw.arch import formats, isa
from sw.network.checks import Ranges, Shapes
from sw.network.layers.base import IMAGE, Arithmetic, LaneLayer, Tensors
from sw.network.values import Affine, Neuron


@dataclass(frozen=True, kw_only=True)
class PixelConv(LaneLayer):
    """First, multi-bit convolution: S = sum w * p, p = (pixel << pixel_shift) - centre[c].

    Output sides are (side + 2 * padding - kernel) // stride + 1. Padded taps add 0. ``weight``
    (O, I, kh, kw) int64, ``|w| <= FACTOR_MAX``: a signed mantissa of ``weight_bits`` bits times a
    power of two per output channel. There is no factor here: x = saturate((S + bias) >> shift),
    bias (O,). Input: the image, (B, I, H, W), the same at every step, or (B, T, I, H, W), one
    frame per step.
    """

    weight: np.ndarray
    bias: np.ndarray
    shift: int
    weight_bits: int
    pixel_shift: int
    centre: tuple[int, ...]  #: One per input channel, |p| < 2**17 for every pixel 0..255.
    padding: int
    neuron: Neuron
    stride: int = 1  #: 1 or 2.

    def reads(self) -> tuple[str, ...]:
        return ()

    def shapes(self, ask: Shapes) -> None:
        net = ask.network
        out, _, kh, kw = self.weight.shape
        ask.want("weight", self.weight.shape, (out, net.channels, kh, kw))
        ask.want("bias", self.bias.shape, (out,))
        ask.want("centre", (len(self.centre),), (net.channels,))
        ask.choice("stride", self.stride, (1, 2))
        room = (net.height + 2 * self.padding - kh, net.width + 2 * self.padding - kw)
        if min(room) < 0:
            ask.fail(f"kernel {kh}x{kw} does not fit the image")
        ask.put(self.neuron.name, (out, *(n // self.stride + 1 for n in room)))

    def bounds(self, ask: Ranges) -> None:
        most = formats.FACTOR_MAX
        ask.bound("weight", self.weight, -most, most)
        for row in self.weight.reshape(len(self.weight), -1):
            if int(np.abs(row).max()) >> _exponent(row) >= 1 << (self.weight_bits - 1):
                ask.fail(f"a mantissa needs more than {self.weight_bits} bits")
        self._instruction(ask)
        reach = pixel_reach(self.pixel_shift, self.centre)
        ask.bound("centred pixel", reach, 0, formats.MEMBRANE_MAX)
        worst = (np.abs(self.weight).sum(axis=(2, 3)) * reach).sum(axis=1)
        ask.accumulator(int((worst + np.abs(self.bias)).max()))

    def _instruction(self, ask: Ranges) -> None:
        """Check what the instruction of a first convolution can say."""
        kernel = self.weight.shape[2:]
        ask.bound("kernel", kernel, 1, isa.MAX_KERNEL)
        ask.bound("padding", self.padding, 0, isa.BY_NAME["pad_y"].most)
        ask.bound("pixel_shift", self.pixel_shift, 0, isa.BY_NAME["pix_shift"].most)
        centre = isa.BY_NAME["centre0"]
        ask.bound("centre", self.centre, centre.least, centre.most)
        if self.centre[isa.CENTRES :] != self.centre[: -isa.CENTRES]:
            ask.fail(
                f"channels k and k + {isa.CENTRES} must have the same centre; give such "
                "channels the same mean"
            )
        sides = ask.shapes.shape[self.neuron.name][1:]
        image = (ask.network.height, ask.network.width)
        if any((side - 1) * self.stride >= whole for side, whole in zip(sides, image, strict=True)):
            ask.fail(
                f"padding {self.padding} gives output pixels outside the image with a "
                f"kernel of {kernel[0]}x{kernel[1]}; use a padding of at most half the kernel"
            )

    def sums(self, run: Arithmetic, tensors: Tensors) -> np.ndarray:
        p = pixel_centre(tensors[IMAGE], self.pixel_shift, self.centre)
        return run.pixel_sums(p, self.weight, self.padding, self.stride)

    def golden(self, run: Arithmetic, tensors: Tensors) -> dict[str, np.ndarray]:
        ones = np.ones(len(self.bias), dtype=np.int64)
        affine = Affine(factor=ones, bias=self.bias, shift=self.shift)
        return run.lane(self.sums(run, tensors), affine, tensors, neuron=self.neuron)


def pixel_centre(pixels: np.ndarray, pixel_shift: int, centre: tuple[int, ...]) -> np.ndarray:
    """``p = (pixel << pixel_shift) - centre[c]``: (..., C, H, W) uint8 to int64."""
    offset = np.asarray(centre, dtype=np.int64)[:, None, None]
    return (np.asarray(pixels, dtype=np.int64) << pixel_shift) - offset


def pixel_reach(pixel_shift: int, centre: ArrayLike) -> np.ndarray:
    """Largest ``|p|`` of each input channel over pixels 0 to 255."""
    offset = np.asarray(centre, dtype=np.int64)
    return np.maximum(np.abs(offset), np.abs((255 << pixel_shift) - offset))


def _exponent(row: np.ndarray) -> int:
    """Largest e with 2**e dividing every entry; 0 for a row of zeros."""
    ones = int(np.bitwise_or.reduce(np.abs(row)))
    return (ones & -ones).bit_length() - 1 if ones else 0
