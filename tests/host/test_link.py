"""Sessions and commands over lines good and bad."""

import numpy as np
import pytest

from hw.arch import Config, SpikeloomError, link
from hw.arch.link import Command, Reason
from hw.arch.memmap import Mem, Stopped, load_addr
from sim.line import Faults
from sw.host.exchange import SILENCE, Lost, NoReply, Refused
from sw.host.link import OPENINGS, SILENCES, VERSION_1, Link
from tests.host.virtual import CLOCK, CONFIG, VirtualDevice

PIX = load_addr(Mem.PIX, 0)
ANSWER = load_addr(Mem.PIX, 500)


def doubled(memory):
    """A run writes twice the first pixel and the number of runs."""
    memory["runs"] = memory.get("runs", 0) + 1
    return {ANSWER: 2 * memory.get(PIX, 0), ANSWER + 1: memory["runs"]}


def opened(device=None, **options):
    device = device or VirtualDevice(CONFIG, answer=doubled, **options)
    session = Link(device)
    session.begin()
    return device, session


def test_open_and_negotiate():
    device, session = opened()
    assert session.identity.config == CONFIG
    assert session.identity.clock == CLOCK
    assert session.baud == device.endpoint.baud == link.BAUD
    assert session.negotiate(2_500_000) == 2_000_000
    assert session.negotiate() == device.endpoint.baud == device.baud == 3_000_000
    assert session.negotiate() == 3_000_000


def test_rates_are_those_of_the_device():
    device, session = opened(rates=(1_000_000, 2_000_000))
    assert session.negotiate() == device.endpoint.baud == 2_000_000


def test_memories():
    device, session = opened()
    words = np.random.default_rng(0).integers(0, 1 << 32, 300, np.uint32)
    at, counted = load_addr(Mem.COL, 3, 1), []
    session.write(at, words, counted.append)
    session.write(PIX, np.arange(10))
    assert session.read(at, 300).tolist() == words.tolist()
    assert session.read(PIX, 10).tolist() == list(range(10))
    assert session.crc(at, 300) == link.crc32(words.astype("<u4").tobytes())
    assert sum(counted) == 300
    assert len(counted) > 3
    assert Command.WRITE_BYTES in device.commands
    assert session.read(at, 0).tolist() == []


def test_runs():
    device, session = opened()
    device.log = [5, 9]
    session.write(PIX, np.array([21]))
    assert session.start(limit=99) == 1
    state, words = session.result(ANSWER, 2)
    assert (state.done, state.run, state.cycles) == (True, 1, device.cycles)
    assert words.tolist() == [42, 1]
    assert device.limit == 99
    assert session.start() == 2
    assert session.result(ANSWER, 0)[1].tolist() == []
    assert session.log(2).tolist() == [5, 9]
    assert session.status().logged == 2


def test_abort():
    _, session = opened(polls=1 << 30)
    session.start()
    assert session.status().busy
    with pytest.raises(Refused, match="READ: its core is running"):
        session.read(PIX, 1)
    state = session.abort()
    assert (state.busy, state.stopped) == (False, Stopped.ABORTED)
    assert session.read(PIX, 1).tolist() == [0]


def test_a_refusal_changes_nothing_and_the_link_goes_on():
    device, session = opened()
    with pytest.raises(Refused, match=r"WRITE: it has no such address") as caught:
        session.write(load_addr(Mem.COL, 0, 100), np.arange(4000))
    assert caught.value.reason == Reason.ADDRESS
    assert not device.memory
    session.write(PIX, np.arange(4))
    assert session.read(PIX, 4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("rate", [1e-3, 1e-2, 3e-2])
@pytest.mark.parametrize("seed", range(3))
def test_all_arrives_once_over_a_line_with_faults(rate, seed):
    """Memories are right, every run is done once, and every result is its own."""
    device, session = opened(there=Faults(rate, seed), back=Faults(rate, 100 + seed))
    session.negotiate()
    rng = np.random.default_rng(seed)
    want = {}
    for bank in range(4):
        words = rng.integers(0, 1 << 32, 400, np.uint32)
        session.write(load_addr(Mem.COL, 0, bank), words)
        want |= {load_addr(Mem.COL, n, bank): int(w) for n, w in enumerate(words)}
    session.flush()
    assert device.memory == want
    for bank in range(4):
        words = np.array([want[load_addr(Mem.COL, n, bank)] for n in range(400)], "<u4")
        assert session.crc(load_addr(Mem.COL, 0, bank), 400) == link.crc32(words.tobytes())
        assert session.read(load_addr(Mem.COL, 0, bank), 400).tolist() == words.tolist()
    for n in range(20):
        session.write(PIX, np.array([n]))
        session.start()
        assert session.result(ANSWER, 2)[1].tolist() == [2 * n, n + 1]
    assert device.starts == 20
    images = [[(PIX, np.array([n, *rng.integers(0, 256, 200)]))] for n in range(40)]
    runs = session.runs(images, ANSWER, 1)
    assert [words.tolist() for _, words in runs] == [[2 * n] for n in range(40)]


def test_an_image_is_sent_while_one_is_computed():
    """When the first result comes, the second image has left."""
    device, session = opened(polls=5)
    sent = []
    images = ([(PIX, np.array([n]))] for n in range(4))
    runs = session.runs(images, ANSWER, 1)
    for state, words in runs:
        sent.append((device.starts, state.run, words.tolist()))
    assert [run for _, run, _ in sent] == [1, 2, 3, 4]
    assert [words for *_, words in sent] == [[0], [2], [4], [6]]
    assert sent[0][0] >= 1


def test_results_of_many_words_come_in_parts():
    _, session = opened()
    count = 2 * link.RESULT_WORDS + 1
    session.write(PIX, np.arange(count))
    session.start()
    assert session.result(PIX, count)[1].tolist() == list(range(count))


def cut(device):
    """Nothing reaches the device from now on."""
    device.there = lambda data: b""


def test_silence_is_given_up_after_a_stated_time():
    device, session = opened()
    cut(device)
    device.silences = 0
    with pytest.raises(NoReply, match=f"no reply from the device in {OPENINGS * SILENCE:.1f} s"):
        session.status()
    assert device.silences == SILENCES + OPENINGS
    device.there = bytes
    session.begin()  # the advice works
    assert not session.status().busy


def test_a_device_that_went_back_to_the_first_rate_is_found_again():
    device, session = opened()
    session.negotiate()
    session.write(PIX, np.array([4]))
    session.start()
    device.endpoint.baud = link.BAUD
    session.write(PIX + 1, np.arange(300))
    assert session.result(ANSWER, 2)[1].tolist() == [8, 1]
    assert session.baud == device.endpoint.baud == 3_000_000
    assert device.starts == 1


def test_a_rate_that_does_not_work_is_not_kept():
    class Slow(VirtualDevice):
        def write(self, data):
            if self.endpoint.baud > 2_000_000:
                data = bytes(len(data))
            super().write(data)

    device, session = opened(Slow(CONFIG))
    assert session.negotiate() == device.endpoint.baud == 2_000_000
    assert session.read(PIX, 1).tolist() == [0]


def test_a_device_that_was_reset_is_told():
    device, session = opened()
    fresh = VirtualDevice(CONFIG)
    device.endpoint = fresh.endpoint
    with pytest.raises(Lost, match="the device was reset, or another program has talked to it"):
        session.status()
    session.begin()
    assert session.status().run == 0


def test_another_host_is_told():
    device, session = opened()
    session.start()
    Link(device).begin()
    with pytest.raises(Lost):
        session.status()


class Version1(VirtualDevice):
    """A device of before: it knows other frames."""

    def write(self, data):
        if data == VERSION_1:
            self._coming += b"\xa5\x81\x00\x4cSPKL\x01\x00"


def test_an_older_device_is_told():
    with pytest.raises(SpikeloomError, match=r"the device speaks version 1 .* build it anew"):
        opened(Version1(CONFIG))


def test_noise_is_no_device():
    class Noise(VirtualDevice):
        def read(self, wait):
            return bytes(1000)

    with pytest.raises(NoReply):
        opened(Noise(CONFIG))


def test_another_core_is_known():
    assert opened(VirtualDevice(Config()))[1].identity.config == Config()
