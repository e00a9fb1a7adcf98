"""Host driver against a model of the device."""

import dataclasses
import sys

import numpy as np
import pytest

from hw.arch import Config, SpikeloomError, link, schedule, timing
from hw.arch.link import Command
from hw.arch.memmap import Mem, Stopped, load_addr
from sw.api import read_network
from sw.compiler.program import Forecast, Program
from sw.compiler.records import Region
from sw.host import Device, open_port
from sw.host.exchange import NoReply, Refused
from tests.host.virtual import CONFIG, LOGITS, VirtualDevice, image, logits, program


def test_identify():
    identity = Device(VirtualDevice(CONFIG)).identity
    assert identity.config == CONFIG
    assert identity.digest == CONFIG.digest


def test_load_and_infer():
    virtual = VirtualDevice(CONFIG, answer=logits)
    device, counted = Device(virtual), []
    device.load(program(), counted.append)
    want = {int(a): int(d) for a, d in program().load_stream()}
    assert virtual.memory == want
    assert sum(counted) == len(want)
    answer = device.infer(program(), image())
    assert answer.logits.tolist() == LOGITS
    assert answer.prediction == 2
    assert answer.cycles == 1234
    assert answer.seconds == pytest.approx(1234 / 50e6)
    for k, v in enumerate(image().ravel().tolist()):
        assert virtual.memory[load_addr(Mem.PIX, 100 + k)] == v


def test_image_is_sent_as_bytes():
    virtual = VirtualDevice(CONFIG, answer=logits)
    Device(virtual).infer(program(), image())
    assert virtual.commands.count(Command.WRITE) == 0
    assert virtual.commands.count(Command.WRITE_BYTES) >= -(-256 // link.MAX_BYTES)


def flip(at):
    return lambda data: data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


FAULTS = {
    "end": flip(0),
    "code": flip(1),
    "sequence": flip(2),
    "tag": flip(3),
    "crc": flip(-3),
    "last": flip(-1),
    "cut": lambda data: data[:-1],
    "lost": lambda data: b"",
    "noise": lambda data: b"\x00\xff" + data,
    "doubled": lambda data: data + data,
    "ends": lambda data: data[:4] + bytes([link.END]) + data[4:],
}


class Nth:
    """Changes the bytes of one write, or of what it is answered."""

    def __init__(self, number, change):
        self.number, self.change, self.count = number, change, 0

    def __call__(self, data):
        if data:
            self.count += 1
            if self.count == self.number:
                return self.change(data)
        return data


@pytest.mark.parametrize("side", ["there", "back"])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_in_any_frame_is_mended(side, fault):
    """Whichever frame is damaged, memories and logits are right, and the core ran once."""
    small = program(columns=np.full((16, 1, 2), 7, np.uint32))
    clean = VirtualDevice(CONFIG, answer=logits, there=(counter := Nth(0, None)))
    Device(clean).load(small)
    Device(clean).infer(small, image())
    assert counter.count > 20
    for number in range(1, counter.count, 3):
        virtual = VirtualDevice(CONFIG, answer=logits, **{side: Nth(number, FAULTS[fault])})
        device = Device(virtual)
        device.load(small)
        assert device.infer(small, image()).logits.tolist() == LOGITS
        assert virtual.memory == clean.memory
        assert virtual.starts == 1


def test_refusal_is_told():
    device = Device(VirtualDevice(CONFIG, polls=1 << 30))
    device.link.start()
    with pytest.raises(Refused, match="the device refuses READ: its core is running"):
        device.read(0, 1)


def test_core_that_is_stopped_by_its_limit():
    virtual = VirtualDevice(CONFIG)

    def stop():
        virtual.busy, virtual.stopped, virtual.cycles = False, Stopped.WATCHDOG, virtual.limit

    virtual.run_on = stop
    with pytest.raises(SpikeloomError, match=r"stopped after 2468 cycles; the forecast .* 1234"):
        Device(virtual).infer(program(), image())


def test_core_that_hangs():
    """And without a limit: the wait ends, and so does the run, by the advice of a new session."""
    device = Device(VirtualDevice(CONFIG, polls=1 << 30))
    with pytest.raises(NoReply, match="is there, but does not answer RESULT: its core runs on"):
        device.infer(program(), image())
    assert not device.link.abort().busy


def test_words_of_a_bank_are_sent_together():
    """Whatever the order in a program: a frame holds as many words as it can."""
    virtual = VirtualDevice(CONFIG)
    Device(virtual).load(program(columns=np.full((16, 300, 2), 1 << 20, np.uint32)))
    assert virtual.commands.count(Command.WRITE) < 3 * 16 * 2 * 300 // link.MAX_WORDS


def test_what_a_device_holds():
    small = program(columns=np.arange(16 * 5 * 2, dtype=np.uint32).reshape(16, 5, 2) << 24)
    virtual = VirtualDevice(CONFIG)
    device = Device(virtual)
    assert not device.holds(small)
    device.load(small)
    assert device.holds(small)
    for place in (load_addr(Mem.PROG, 3), load_addr(Mem.COL, 4, 15, 1)):
        virtual.memory[place] ^= 1
        assert not device.holds(small)
        virtual.memory[place] ^= 1
    constants = Region(name="constants", memory="col", base=0, size=4)
    virtual.memory[load_addr(Mem.COL, 4, 15, 1)] ^= 1  # a run may write there
    assert device.holds(dataclasses.replace(small, regions=(constants,)))


def test_many_images_in_order():
    """Each is on its way while the one before is computed."""
    answers = iter(range(5))

    def number(memory):
        return logits(memory) | {load_addr(Mem.PIX, 40): next(answers)}

    virtual = VirtualDevice(CONFIG, answer=number, polls=3)
    found = list(Device(virtual).run(program(), [image()] * 5))
    assert [int(answer.logits[0]) for answer in found] == [0, 1, 2, 3, 4]
    assert {answer.cycles for answer in found} == {1234}
    assert list(Device(virtual).run(program(), [])) == []


def test_cycles_by_layer():
    """As far as the log goes: an instruction that was not logged, nor the one before it, counts."""
    forecast = tuple(
        Forecast(layer=layer, op="GEMM", cycles=cycles)
        for layer, cycles in (("a", 100), ("b", 40), ("a", 7), ("end", 1))
    )
    virtual = VirtualDevice(CONFIG)
    virtual.log, virtual.cycles = [33, 99, 140, 146], 148
    device = Device(virtual)
    small = program(forecast=forecast)
    found = [(x.layer, x.cycles, x.forecast) for x in device.layers(small)]
    assert found == [("a", 106, 107), ("b", 41, 40), ("end", 1, 1)]
    virtual.log = virtual.log[:3]
    found = [(x.layer, x.cycles, x.forecast) for x in device.layers(small)]
    assert found == [("a", 100, 100), ("b", 41, 40)]
    virtual.log = []
    assert device.layers(small) == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["mnist-tiny", "mnist-qsnn", "digits-qsnn"])
@pytest.mark.parametrize("first", [True, False])
def test_cycles_by_layer_of_a_network_whose_table_is_loaded_once(name, stream, first):
    """Later runs begin behind it, and so do their logs."""
    tiny = read_network(name, stream).compile(Config())
    code = tiny.instructions()
    cycles = schedule.program_cycles(tiny.config, code, first)
    ran = cycles[timing.run_start(code, first) :]
    assert (len(ran) < len(code)) != first
    virtual = VirtualDevice(CONFIG)
    virtual.log = [max(0, sum(ran[:n]) - 1) for n in range(len(ran))]
    virtual.cycles = sum(ran)
    found = Device(virtual).layers(tiny)
    assert all(layer.cycles == layer.forecast for layer in found)
    assert sum(layer.cycles for layer in found) == virtual.cycles


def test_a_busy_device_is_left_alone():
    virtual = VirtualDevice(CONFIG, polls=9)
    device = Device(virtual)
    device.link.start()
    device.link.flush()
    for action in (
        lambda: device.load(program()),
        lambda: device.infer(program(), image()),
        lambda: device.holds(program()),
    ):
        with pytest.raises(SpikeloomError, match=r"the device is busy.*: python -m sw.host abort"):
            action()
    assert not virtual.memory
    assert device.abort().busy is False
    device.load(program())


def test_a_device_that_is_closed():
    class Closing(VirtualDevice):
        closed = 0

        def close(self):
            self.closed += 1

    virtual = Closing(CONFIG)
    with Device(virtual) as device:
        assert device.identity.config == CONFIG
    assert virtual.closed == 1
    Device(VirtualDevice(CONFIG)).close()  # a transport that cannot be closed


def test_digest_mismatch_is_refused_and_nothing_written():
    virtual = VirtualDevice(Config(rows=4, cols=16, width=64))
    device = Device(virtual)
    for action in (lambda: device.load(program()), lambda: device.infer(program(), image())):
        with pytest.raises(SpikeloomError, match=r"rows 8 \(device 4\)"):
            action()
    assert not virtual.memory
    with pytest.raises(SpikeloomError, match="another instruction set"):
        Device(VirtualDevice(CONFIG)).load(program(digest=1))


def test_wrong_image_size():
    with pytest.raises(SpikeloomError, match="Images are 8x8"):
        Device(VirtualDevice(CONFIG)).infer(program(), np.zeros((8, 8), np.uint8))


def test_channels_last_are_not_sent_as_they_are():
    """The pixels that arrive are those of a program's own order, or none do."""
    coloured = program(input_shape=(3, 4, 6), steps=1)
    image = np.random.default_rng(2).integers(0, 256, (3, 4, 6)).astype(np.uint8)
    for given in (image, image.transpose(1, 2, 0), image.astype(np.int64)):
        virtual = VirtualDevice(CONFIG, answer=logits)
        Device(virtual).infer(coloured, given)
        sent = [virtual.memory[load_addr(Mem.PIX, 100 + k)] for k in range(image.size)]
        assert sent == image.ravel().tolist()
    virtual = VirtualDevice(CONFIG, answer=logits)
    for wrong in (image.transpose(2, 1, 0), image.ravel(), image / 255):
        with pytest.raises(SpikeloomError, match="Images "):
            Device(virtual).infer(coloured, wrong)
    assert not virtual.memory


def test_not_a_spikeloom():
    other = VirtualDevice(CONFIG)
    other.endpoint.identity = b"hello"
    with pytest.raises(SpikeloomError, match="the device answers b'hell'"):
        _ = Device(other).identity


def test_no_such_port():
    with pytest.raises(SpikeloomError, match="cannot open serial port '/dev/none': "):
        open_port("/dev/none", 2_000_000)


@pytest.mark.parametrize("most", [1_000_000, 2_000_000, 3_000_000])
def test_the_rate_is_not_above_what_is_asked(most):
    virtual = VirtualDevice(CONFIG)
    assert Device(virtual, most).identity.config == CONFIG
    assert virtual.endpoint.baud == most


def test_no_pyserial(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(SpikeloomError, match="pyserial is not installed"):
        open_port("/dev/none")


def test_program_fields_used_by_the_driver_exist():
    names = {f.name for f in dataclasses.fields(Program)}
    assert {"digest", "config", "logits_base", "classes", "logits_scale", "input_shape"} <= names


def test_the_warning(program, images, flipped):
    with pytest.warns(UserWarning, match="load the program again") as caught:
        answer = Device(flipped).infer(program, images[0])
    text = str(caught[0].message)
    assert f"took {answer.cycles} cycles, the forecast of 'digits-qsnn' is {program.cycles}" in text
    assert caught[0].filename == __file__
