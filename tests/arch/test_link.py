"""Frames, their check sums, and what a device says of itself."""

import binascii

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.arch import Config, SpikeloomError, link
from hw.arch.link import Command

CONFIG = Config(rows=4, cols=16, width=64)


def test_crc16_check_value():
    assert link.crc16(b"123456789") == 0x31C3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: b"NOPE" + p[4:], "the device answers b'NOPE', not b'SPKL': no Spikeloom"),
        (lambda p: p[:4] + b"\x09\0" + p[6:], "the device speaks version 9 of the link"),
        (lambda p: p[:-1], f"{link.IDENTITY_PAYLOAD - 1} bytes of identity"),
    ],
)
def test_identity_refuses(change, message):
    payload = link.Identity(version=1, digest=2, clock=3, config=CONFIG).encode()
    assert link.Identity.decode(payload).clock == 3
    with pytest.raises(SpikeloomError, match=message):
        link.Identity.decode(change(payload))


def test_crc_goes_on_from_a_part():
    assert link.crc16(b"") == 0
    assert link.crc16(b"\x01") == 0x1021
    assert link.crc16(b"56789", link.crc16(b"1234")) == link.crc16(b"123456789")


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(0, 0xFFFF))
def test_crc_is_that_of_the_standard_library(data, start):
    assert link.crc16(data, start) == binascii.crc_hqx(data, start)


def test_frame_byte_by_byte():
    assert link.frame(Command.START, 7) == b"\xa5\x04\x07\x00" + (0x4557).to_bytes(2, "big")
    whole = link.frame(Command.READ, 0xFE, b"\x01\x02\x03\x04\x05")
    assert whole[:9] == b"\xa5\x06\xfe\x05\x01\x02\x03\x04\x05"
    assert len(whole) == 11
    assert link.crc16(whole[1:]) == 0  # over frame and CRC


def test_identity_byte_by_byte():
    """Magic, version, longest payload, digest, clock, the configuration; little endian."""
    identity = link.Identity(version=1, digest=0x01020304, clock=50_000_000, config=CONFIG)
    payload = identity.encode()
    assert payload[:4] == b"SPKL"
    assert payload[4:6] == b"\x01\x00"
    assert int.from_bytes(payload[6:8], "little") == link.MAX_PAYLOAD
    assert payload[8:12] == b"\x04\x03\x02\x01"
    words = [int.from_bytes(payload[k : k + 4], "little") for k in range(12, len(payload), 4)]
    assert words == [50_000_000, *CONFIG.as_dict().values()]
    assert len(payload) == link.IDENTITY_PAYLOAD <= link.MAX_PAYLOAD
    assert link.Identity.decode(payload) == identity
