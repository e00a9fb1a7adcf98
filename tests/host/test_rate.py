"""What one image takes on the line: counted as it goes over it."""

import dataclasses

import numpy as np
import pytest

from hw.arch import link
from sw.host import Device
from sw.host.rate import link_seconds, load_seconds, sent_bytes
from tests.host.virtual import CONFIG, VirtualDevice, logits, program


def counted(held, image):
    """Bytes of one image on the line to the device, stuffing apart, once the line is known."""
    seen = []

    def there(data):
        unstuffed = data
        for byte in (link.ESCAPE, link.END):
            stuffed = bytes([link.ESCAPE, byte ^ link.STUFFING])
            unstuffed = unstuffed.replace(stuffed, bytes(1))
        seen.append(len(unstuffed))
        return data

    device = Device(VirtualDevice(held.config, answer=logits, polls=0, there=there))
    device.load(held)
    for _ in range(30):  # frames are short as long as nothing is known of the line
        device.infer(held, image)
    taken = []
    for images in (1, 2):  # before the first of them the device is asked whether it is idle
        seen.clear()
        list(device.run(held, [image] * images))
        taken.append(sum(seen))
    return taken[1] - taken[0]


@pytest.mark.parametrize("side", [15, 16, 22, 23])
def test_bytes_of_an_image_are_those_on_the_line(side):
    """225 and 256 pixels: one and two writes; 484 and 529: two and three."""
    shape = (1, side, side)
    held = program(input_shape=shape)
    assert counted(held, np.zeros(shape, np.uint8)) == sent_bytes(held)


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_bytes_of_an_image_in_row_memory(channels, width):
    """A write for each bank and each four channels: of bytes where there is one channel."""
    channels += 4 if width == 64 else 0
    config = dataclasses.replace(CONFIG, width=width)
    shape = (channels, 21, 33)
    held = program(config, input_shape=shape, image_memory="row")
    assert counted(held, np.full(shape, 255, np.uint8)) == sent_bytes(held)


@pytest.mark.parametrize(("classes", "reads"), [(1, 1), (59, 1), (60, 2), (118, 2), (119, 3)])
def test_logits_are_asked_for_in_parts(classes, reads):
    """A reply holds 59 words behind the state."""
    more = sent_bytes(program(classes=classes)) - sent_bytes(program(classes=1))
    assert more == (reads - 1) * (9 + 5)  # frames, and address and count


def test_by_hand():
    """END, code, sequence, tag, payload, CRC of 4, END: nine bytes without payload."""
    held = program()  # 16 x 16 pixels, 10 classes
    assert sent_bytes(held) == 2 * (9 + 4) + 256 + 9 + 6 + 9 + 5 == 311
    assert link_seconds(held) == 3110 / 3_000_000
    assert link_seconds(held, 115_200) == 3110 / 115_200


def test_a_load_takes_a_little_more_than_is_said():
    """Frames end where a bank does, and what is asked comes on top; small words take a byte."""
    config = dataclasses.replace(CONFIG, block_depth=64, outside=1)
    words = np.random.default_rng(1).integers(1 << 8, 1 << 32, 40_000, dtype=np.uint32)
    held, sent = program(config, outside=words), []

    def there(data):
        sent.append(len(data))
        return data

    Device(VirtualDevice(config, there=there)).load(held)
    told = load_seconds(held, 1_000_000) * 100_000
    assert told <= sum(sent) < 1.1 * told
