"""Frames, their check sums, and what a device says of itself."""

import pytest

from hw.arch import Config, SpikeloomError, link

CONFIG = Config(rows=4, cols=16, width=64)


def test_crc16_check_value():
    assert link.crc16(b"123456789") == 0x31C3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: b"NOPE" + p[4:], "the device answers b'NOPE', not b'SPKL': no Spikeloom"),
        (lambda p: p[:4] + b"\x09\0" + p[6:], "the device speaks version 9 of the link"),
        (lambda p: p[:-1], "59 bytes of identity"),
    ],
)
def test_identity_refuses(change, message):
    payload = link.Identity(version=1, digest=2, clock=3, config=CONFIG).encode()
    assert link.Identity.decode(payload).clock == 3
    with pytest.raises(SpikeloomError, match=message):
        link.Identity.decode(change(payload))
