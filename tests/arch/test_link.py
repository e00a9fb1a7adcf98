"""Frames, their check sums, and what a device says of itself and of its core."""

import dataclasses
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.arch import Config, SpikeloomError, link
from hw.arch.link import Command
from hw.arch.memmap import Stopped

CONFIG = Config(rows=4, cols=16, width=64)
IDENTITY = {"version": link.VERSION, "digest": 0x01020304, "clock": 50_000_000, "config": CONFIG}
BYTES = st.binary(max_size=link.MAX_PAYLOAD)
#: Bytes of which many have to be stuffed.
STUFFED = st.lists(st.sampled_from([link.END, link.ESCAPE, 0x5E, 0x5D, 0]), max_size=40).map(bytes)


def test_crc32_check_value():
    assert link.crc32(b"123456789") == 0xCBF43926


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_residue(data):
    whole = data + zlib.crc32(data).to_bytes(link.CRC_BYTES, "little")
    assert link.crc32(whole) == link.CRC_RESIDUE


@settings(deadline=None)
@given(BYTES | STUFFED, st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_a_frame_holds_what_was_put_in(payload, code, sequence, tag):
    whole = link.frame(code, sequence, tag, payload)
    assert (whole[0], whole[-1]) == (link.END, link.END)
    assert link.END not in whole[1:-1]
    assert link.unframe(whole[1:-1]) == (code, sequence, tag, payload)


def test_frame_byte_by_byte():
    whole = link.frame(Command.STATUS, 0x12, 0x34)
    crc = zlib.crc32(b"\x05\x12\x34").to_bytes(4, "little")
    assert whole == b"\x7e\x05\x12\x34" + crc + b"\x7e"
    assert len(crc) + 5 == len(whole)
    whole = link.frame(Command.WRITE_BYTES, 0x7E, 0x7D, b"\x7d\x7e\x5d")
    assert whole.startswith(b"\x7e\x03\x7d\x5e\x7d\x5d\x7d\x5d\x7d\x5e\x5d")


WHOLE = link.frame(Command.WRITE, 7, 9, bytes(range(12)))[1:-1]


@pytest.mark.parametrize("at", range(len(WHOLE)))
def test_a_damaged_byte_is_seen(at):
    for error in range(1, 256):
        assert link.unframe(WHOLE[:at] + bytes([WHOLE[at] ^ error]) + WHOLE[at + 1 :]) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-1],
        lambda b: b[1:],
        lambda b: b + b"\0",
        lambda b: b"\0" + b,
        lambda b: b + bytes([link.ESCAPE]),
        lambda b: b[:5] + bytes([link.ESCAPE, link.ESCAPE]) + b[5:],
        lambda b: b"",
        lambda b: b[-6:],
    ],
)
def test_lost_and_inserted_bytes_are_seen(damage):
    assert link.unframe(damage(WHOLE)) is None


def test_length_of_a_frame():
    longest = link.frame(1, 2, 3, bytes(link.MAX_PAYLOAD))[1:-1]
    assert link.unframe(longest) == (1, 2, 3, bytes(link.MAX_PAYLOAD))
    assert link.unframe(link.frame(1, 2, 3, bytes(link.MAX_PAYLOAD + 1))[1:-1]) is None
    short = b"\x01\x02"
    assert link.unframe(short + zlib.crc32(short).to_bytes(4, "little")) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: b"NOPE" + p[4:], "the device answers b'NOPE', not b'SPKL': no Spikeloom"),
        (
            lambda p: p[:4] + b"\x09\0" + p[6:],
            "speaks version 9 of the link, this host version 3: the host's software is older",
        ),
        (lambda p: p[:4] + b"\x02\0" + p[6:], "2 .* the device's bitstream is older"),
        (lambda p: p[:-4], f"identity has {link.IDENTITY_PAYLOAD - 8} bytes, this host knows one"),
    ],
)
def test_identity_refuses(change, message):
    payload = link.Identity(**IDENTITY).encode()
    assert link.Identity.decode(payload).clock == 50_000_000
    with pytest.raises(SpikeloomError, match=message):
        link.Identity.decode(change(payload))


def test_identity_byte_by_byte():
    """Magic, version, longest payload, digest, clock, queue, rates, the configuration."""
    identity = link.Identity(**IDENTITY, rates=(1_000_000, 3_000_000))
    payload = identity.encode()
    assert payload[:4] == b"SPKL"
    assert payload[4:6] == b"\x03\x00"
    assert int.from_bytes(payload[6:8], "little") == link.MAX_PAYLOAD
    assert payload[8:12] == b"\x04\x03\x02\x01"
    assert payload[16:20] == bytes([0, link.QUEUE >> 8, 0b101, 0])
    words = [int.from_bytes(payload[k : k + 4], "little") for k in range(12, len(payload), 4)]
    assert words[0] == 50_000_000
    assert words[2:] == [*CONFIG.as_dict().values()]
    assert link.SESSION.size + len(payload) == link.IDENTITY_PAYLOAD <= link.MAX_PAYLOAD
    assert link.Identity.decode(payload) == identity


def test_identity_of_a_core_with_a_mover():
    """Its settings are the last words, which others do not tell."""
    config = dataclasses.replace(CONFIG, block_depth=128, outside=8)
    identity = link.Identity(**IDENTITY | {"config": config})
    payload = identity.encode()
    assert payload[:-8] == link.Identity(**IDENTITY).encode()
    assert payload[-8:] == bytes([128, 0, 0, 0, 8, 0, 0, 0])
    assert link.Identity.decode(payload) == identity


def test_state_byte_by_byte():
    """Flags, run, instruction address, logged instructions, cycles, waits among them."""
    facts = {"stopped": Stopped.WATCHDOG, "run": 0x0102, "pc": 3, "logged": 4}
    state = link.State(busy=False, done=True, **facts, cycles=5, stalls=0x0706)
    payload = state.encode()
    assert payload == bytes([0b1010, 0, 2, 1, 3, 0, 4, 0, 5, 0, 0, 0, 6, 7, 0, 0])
    assert len(payload) == link.STATE_PAYLOAD
    assert link.State.decode(payload + b"words") == state


def test_most_words_fill_a_payload():
    assert link.ADDR_BYTES + 4 * link.MAX_WORDS == link.ADDR_BYTES + link.MAX_BYTES == 252
    assert link.STATE_PAYLOAD + 4 * link.RESULT_WORDS == link.MAX_PAYLOAD
    assert link.HEAD.size + link.MAX_PAYLOAD < 256  # a request's length is a byte in the queue


def test_every_command_has_a_payload():
    assert {*link.WRITES, *link.PAYLOADS} == set(Command)
