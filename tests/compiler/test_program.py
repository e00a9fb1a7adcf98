"""Program files, load streams and the disassembler."""

import dataclasses
import zipfile

import numpy as np
import pytest

from hw.arch import SpikeloomError
from hw.arch.config import Config
from hw.arch.memmap import Mem, load_addr
from sim.interpreter import interpret
from sw.compiler import Program, compile_network, fit_config
from sw.testing import random_images, random_network


@pytest.fixture(scope="module")
def net(small):
    return random_network(1, **small)


@pytest.fixture(scope="module")
def program(net):
    return compile_network(net, fit_config(net, Config()))


def test_same_network_same_bytes(net, program, tmp_path):
    program.save(tmp_path / "a.npz")
    compile_network(net, program.config).save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_save_and_load(net, program, tmp_path):
    program.save(tmp_path / "a.npz")
    again = Program.load(tmp_path / "a.npz")
    for f in dataclasses.fields(Program):
        np.testing.assert_array_equal(getattr(again, f.name), getattr(program, f.name))
    again.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    images = random_images(net, 1)
    assert (next(interpret(again, images)).logits == net.run(images).logits[0]).all()


def test_file_is_an_archive_without_pickle(program, tmp_path):
    program.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as data:
        assert set(data.files) == {"meta", "words", "columns", "sha256"}


@pytest.mark.parametrize("keep", [0, 10, 100, -1, -30, 0.5])
def test_truncated_file_is_refused(keep, program, tmp_path):
    path = tmp_path / "a.npz"
    program.save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(SpikeloomError, match="not a whole Spikeloom program"):
        Program.load(path)


def test_flipped_bit_is_refused(program, tmp_path):
    path = tmp_path / "a.npz"
    program.save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(bytes(data))
    with pytest.raises(SpikeloomError):
        Program.load(path)


def test_foreign_files_are_refused(tmp_path):
    np.savez(tmp_path / "foreign.npz", a=np.zeros(3))
    with pytest.raises(SpikeloomError, match="not a whole Spikeloom program"):
        Program.load(tmp_path / "foreign.npz")
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    with pytest.raises(SpikeloomError, match="not a whole Spikeloom program"):
        Program.load(tmp_path / "empty.npz")
    with pytest.raises(SpikeloomError, match="No such file"):
        Program.load(tmp_path / "missing.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "format version 99"),
        ({"digest": 1}, "digest 0x00000001"),
        ({"input_shape": 3}, "is damaged"),
        ({"image_memory": "res"}, "an image of 1 channels in memory 'res'"),
        ({"input_shape": (5, 8, 8)}, "an image of 5 channels in memory 'row'"),
        ({"image_base": 2033}, "row memory of 2048 words, 2049 used"),
        ({"image_memory": "pix", "image_base": 961}, "pixel memory of 1024 words, 1025 used"),
    ],
)
def test_other_version_or_digest_is_refused(change, message, program, tmp_path):
    dataclasses.replace(program, **change).save(tmp_path / "a.npz")
    with pytest.raises(SpikeloomError, match=message):
        Program.load(tmp_path / "a.npz")


def test_cannot_write(program, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SpikeloomError, match="file"):
        program.save(tmp_path / "file" / "a.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_load_stream_writes_program_columns_and_image(net, program):
    image = random_images(net, 1)[0]
    stream = program.load_stream(image)
    assert stream.dtype == np.uint32
    assert stream[-1, 0] >> 27 == Mem.CTRL == program.load_stream()[-1, 0] >> 27
    memories = {}
    for addr, data in stream.tolist():
        key = (addr >> 27, addr >> 20 & 127, addr & 0xFFFF, addr >> 16 & 15)
        assert key not in memories
        memories[key] = data
    for a, word in enumerate(program.words.tolist()):
        assert memories.pop((Mem.PROG, 0, a, 0)) == word
    for (bank, a, part), word in np.ndenumerate(program.columns):
        assert memories.pop((Mem.COL, bank, a, part)) == word
    assert program.image_memory == "row"
    for y, x in np.ndindex(8, 8):
        at = (Mem.ROW, x % 4, program.image_base + 2 * y + x // 4, 0)
        assert memories.pop(at) == image[0, y, x]
    assert memories == {(Mem.CTRL, 0, 0, 0): 0}


@pytest.mark.parametrize(("channels", "parts"), [(1, 1), (3, 1), (4, 1), (5, 2), (8, 2)])
def test_an_image_in_row_memory(program, channels, parts):
    """Two frames of 3 x 5: bank by bank and part by part, words in order; banks past it get 0."""
    config = dataclasses.replace(program.config, width=64)
    shape = (2, channels, 3, 5)
    held = dataclasses.replace(program, config=config, input_shape=shape, image_base=100)
    image = np.random.default_rng(3).integers(1, 256, shape)
    stream = held.image_stream(image)
    assert held.image_words == 2 * 3 * 2
    want = []
    for bank, part, n in np.ndindex(4, parts, held.image_words):
        frame, y, group = np.unravel_index(n, (2, 3, 2))
        x, some = 4 * group + bank, image[frame, 4 * part : 4 * part + 4, y]
        data = sum(int(v) << 8 * c for c, v in enumerate(some[:, x])) if x < 5 else 0
        want.append([load_addr(Mem.ROW, 100 + int(n), bank, part), data])
    assert stream.tolist() == want


def test_an_image_in_pixel_memory(program):
    image = np.random.default_rng(4).integers(256, size=(1, 8, 8))
    held = dataclasses.replace(program, image_memory="pix", image_base=7)
    want = [[load_addr(Mem.PIX, 7 + n), v] for n, v in enumerate(image.ravel().tolist())]
    assert held.image_stream(image).tolist() == want
    assert held.image_words == 64


def test_wrong_images_are_refused(program):
    with pytest.raises(SpikeloomError, match=r"has 9 values, but .* wants \[1, 8, 8\] = 64"):
        program.image_stream(np.zeros((3, 3), np.uint8))
    with pytest.raises(SpikeloomError, match="outside 0 to 255"):
        program.image_stream(np.full(64, 256))


def test_disassembly_names_every_layer(net, program):
    text = program.disassemble()
    for layer in net.layers:
        assert layer.name in text
    for name in ("COL_TOKEN", "ROW_TAPS", "res NONE, Y kept in B", "loops", "(end)"):
        assert name in text
    assert compile_network(net, program.config).disassemble() == text
