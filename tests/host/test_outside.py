"""Words of the memory outside: what is sent, what is left, what is found damaged."""

import dataclasses
import warnings

import numpy as np
import pytest

from hw.arch import Config, SpikeloomError
from hw.arch.memmap import Mem, Stopped, load_addr, out_addr
from sw.compiler import compile_network
from sw.compiler.mapper import map_network
from sw.compiler.records import Region
from sw.host import Device, outside, report
from sw.testing import random_residual_network
from tests.host.virtual import VirtualDevice, program

CONFIG = Config(rows=8, cols=16, width=64, block_depth=64, outside=1)
CORE = Config(prog_depth=4096, block_depth=64, outside=1)
WORDS = np.random.default_rng(3).integers(0, 1 << 32, 2 * outside.PART + 77, dtype=np.uint32)


def moving():
    return program(CONFIG, outside=WORDS)


def held(device):
    return [device.memory.get(out_addr(n), 0) for n in range(len(WORDS))]


def test_what_a_program_wants_outside_is_written_and_checked():
    virtual, counted = VirtualDevice(CONFIG), []
    device = Device(virtual)
    assert not device.holds(moving())
    device.load(moving(), counted.append)
    assert held(virtual) == WORDS.tolist()
    assert sum(counted) == len(WORDS) + len(moving().load_stream())
    assert device.holds(moving())


def test_what_blocks_have_replaced_is_no_fault():
    """The halves of column memory that they come to are not what a program holds."""
    regions = (
        Region(name="blocks", memory="col", base=0, size=2),
        Region(name="constants", memory="col", base=2, size=2),
    )
    mine = program(CONFIG, outside=WORDS, regions=regions)
    assert mine.columns.shape[1] >= 4
    virtual = VirtualDevice(CONFIG)
    device = Device(virtual)
    device.load(mine)
    virtual.memory[load_addr(Mem.COL, 1, 3)] ^= 1
    assert device.holds(mine)
    virtual.memory[load_addr(Mem.COL, 2, 3)] ^= 1
    assert not device.holds(mine)


def test_a_load_that_broke_off_goes_on():
    """Only the part that is not whole is sent again."""
    virtual = VirtualDevice(CONFIG)
    device = Device(virtual)
    device.load(moving())
    del virtual.memory[out_addr(outside.PART + 5)]
    first, counted = len(virtual.commands), []
    device.load(moving(), counted.append)
    assert held(virtual) == WORDS.tolist()
    sent = len(virtual.commands) - first
    assert first - sent > outside.PART / 63  # frames of the part that was whole
    assert outside.PART in counted
    assert 77 in counted


def test_a_damaged_bit_is_found():
    virtual = VirtualDevice(CONFIG)
    device = Device(virtual)
    device.load(moving())
    virtual.memory[out_addr(len(WORDS) - 1)] ^= 1 << 31
    assert not device.holds(moving())


def test_a_memory_that_holds_nothing_is_told():
    class Deaf(VirtualDevice):
        def load(self, addr, word):
            if addr >> 27 != out_addr(0) >> 27:
                super().load(addr, word)

    with pytest.raises(SpikeloomError, match=r"outside does not hold .* words 0 to 0 did not stay"):
        Device(Deaf(CONFIG)).load(moving())


def test_a_damaged_bit_is_a_fault_of_the_self_test():
    virtual = VirtualDevice(CONFIG)
    device = Device(virtual)
    device.load(moving())
    assert outside.faults(device.link, moving()) == []
    virtual.memory[out_addr(outside.PART + 9)] ^= 1 << 7
    (fault,) = outside.faults(device.link, moving())
    assert "words 16384 to 32767 are not the program's" in fault


@pytest.fixture(scope="module")
def moved():
    """A network some of whose constants come from outside, and its program."""
    network = random_residual_network(
        3, height=8, width=8, channels=1, widths=(32, 64), blocks=(2, 1), bits=4, steps=2, classes=5
    )
    needs = map_network(network, dataclasses.replace(CORE, block_depth=0, outside=0)).needs
    found = compile_network(
        network, dataclasses.replace(CORE, col_depth=needs["col_depth"] // 4 * 3)
    )
    assert sum(found.stalls())
    return found


def answer_of(program, more, **facts):
    """What a device answers whose memory outside keeps the core ``more`` cycles waiting."""
    virtual = VirtualDevice(program.config)
    virtual.stalls = sum(program.stalls()) + more
    virtual.cycles = program.run_computing(1) + virtual.stalls
    for name, value in facts.items():
        setattr(virtual, name, value)
    return Device(virtual).infer(program, np.zeros(program.input_shape, np.uint8))


@pytest.mark.parametrize("more", [-7, 0, 5000])
def test_waits_for_a_real_memory_are_no_other_cycles(moved, more):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = answer_of(moved, more)
    assert not answer.differs
    assert answer.cycles - answer.forecast == more
    assert answer.stalls - answer.waits == more
    told = report.cycles([answer])
    assert told[0] == f"computing cycles {moved.run_computing(1)}, all as forecast"
    assert told[1].endswith(f"{answer.stalls}, forecast {answer.waits}")


def test_other_computing_is_told(moved):
    with pytest.warns(UserWarning, match=r"cycles \(0 of them waits\), the forecast of"):
        assert answer_of(moved, 0, stalls=0).differs


def test_a_run_that_waits_in_vain_is_told(moved):
    class Silent(VirtualDevice):
        def run_on(self):
            self.busy, self.stopped, self.cycles, self.pc = False, Stopped.OUTSIDE, 70_000, 42

    with pytest.raises(
        SpikeloomError, match=r"after 70000 cycles, at instruction word 42: the memory outside"
    ):
        Device(Silent(moved.config)).infer(moved, np.zeros(moved.input_shape, np.uint8))


def test_words_beyond_the_memory_are_refused():
    device = Device(VirtualDevice(CONFIG))
    device.link.write(out_addr((1 << 20) - 1), np.array([1 << 20], np.uint32))
    device.link.flush()
    device.link.write(out_addr(1 << 20), np.array([1 << 20], np.uint32))
    with pytest.raises(SpikeloomError, match="address"):
        device.link.flush()


class Flash(VirtualDevice):
    """Nothing that the link writes stays outside."""

    def load(self, addr, word):
        if addr >> 27 != out_addr(0) >> 27:
            super().load(addr, word)


def test_words_of_a_flash_are_checked_and_its_command_is_told():
    virtual = Flash(CONFIG)
    before = len(virtual.commands)
    with pytest.raises(SpikeloomError, match=r"--write-flash --verify --offset OFFSET flash\.bin"):
        Device(virtual).load(moving())
    assert len(virtual.commands) - before < 20  # it is not sent all of the words
    virtual.memory |= {out_addr(n): int(word) for n, word in enumerate(WORDS)}
    Device(virtual).load(moving())
    assert Device(virtual).holds(moving())
    virtual.memory[out_addr(outside.PART + 1)] ^= 4
    with pytest.raises(SpikeloomError, match=r"words 16384 to 32767 did not stay"):
        Device(virtual).load(moving())
