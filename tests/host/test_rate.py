"""What one image takes on the line: counted as it goes over it."""

import dataclasses

import numpy as np
import pytest

from sw.host import Device
from sw.host.rate import exchange_bytes, link_seconds
from tests.host.virtual import CONFIG, VirtualDevice, logits, program


class Counted(VirtualDevice):
    """Counts the bytes of both directions."""

    seen = 0

    def write(self, data):
        self.seen += len(data)
        super().write(data)

    def read(self, size):
        out = super().read(size)
        self.seen += len(out)
        return out


@pytest.mark.parametrize("side", [15, 16, 22, 23])
def test_bytes_of_an_image_are_those_on_the_line(side):
    """225 and 256 pixels: one and two writes; 484 and 529: two and three."""
    line = Counted(CONFIG, answer=logits, polls=0)
    shape = (1, side, side)
    held = program(input_shape=shape)
    device = Device(line)
    device.load(held)
    line.seen = 0
    device.infer(held, np.zeros(shape, np.uint8))
    assert line.seen == exchange_bytes(held)


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_bytes_of_an_image_in_row_memory(channels, width):
    """A write for each bank and each four channels: of bytes where there is one channel."""
    channels += 4 if width == 64 else 0
    config = dataclasses.replace(CONFIG, width=width)
    line = Counted(config, answer=logits, polls=0)
    shape = (channels, 21, 33)
    held = program(config, input_shape=shape, image_memory="row")
    device = Device(line)
    device.load(held)
    line.seen = 0
    device.infer(held, np.full(shape, 255, np.uint8))
    assert line.seen == exchange_bytes(held)


@pytest.mark.parametrize(("classes", "reads"), [(1, 1), (62, 1), (63, 2), (124, 2), (125, 3)])
def test_logits_are_read_in_parts(classes, reads):
    """A reply holds 62 words: 248 of its 252 bytes are whole words behind an address."""
    held = program(classes=classes)
    one = program(classes=1)
    more = exchange_bytes(held) - exchange_bytes(one)
    assert more == 4 * (classes - 1) + (reads - 1) * (6 + 5 + 6)  # frames, and address and count


def test_by_hand():
    """A frame is SYNC, code, tag, length, payload, CRC of 2: six bytes without payload."""
    held = program()  # 16 x 16 pixels, 10 classes
    writes = 2 * (6 + 4 + 6) + 256
    start, status, read = 6 + 6, 6 + 6 + 8, 6 + 5 + 6 + 4 * 10
    assert exchange_bytes(held) == writes + start + status + read == 377
    assert link_seconds(held) == 3770 / 1_000_000
    assert link_seconds(held, 115_200) == 3770 / 115_200
