"""Contents of block RAMs are read back from netlists that Yosys made."""

import random

import pytest

from hw.arch import SpikeloomError
from hw.tools.bram import block_memories
from tests.synth.designs import Many
from tests.tools.netlists import synthesise

SHAPES = [  # width, depth, bits per write enable
    (32, 1024, 8),
    (32, 2048, 8),
    (18, 1024, None),
    (32, 1024, None),
    (64, 1024, 8),
    (36, 1024, None),
    (16, 2048, 8),
    (4, 4096, None),
]


@pytest.fixture(scope="module")
def memories(tmp_path_factory):
    rng = random.Random(0)
    init = [[rng.getrandbits(w) for _ in range(d)] for w, d, _ in SHAPES]
    design = Many([(w, words, g) for (w, _, g), words in zip(SHAPES, init, strict=True)])
    return init, block_memories(synthesise(design, tmp_path_factory.mktemp("memories")))


@pytest.mark.parametrize("n", range(len(SHAPES)), ids=[f"{w}x{d}" for w, d, _ in SHAPES])
def test_block_ram_is_read_back(memories, n):
    (width, depth, granularity), (init, found) = SHAPES[n], memories
    words = found[f"m{n}.mem"].words(width=width, depth=depth, granularity=granularity)
    assert words == init[n]


def test_block_ram_of_another_size_is_refused(memories):
    with pytest.raises(SpikeloomError, match=r"m0.mem: 64 x 1024 wants 2 cells of 36 bits, found"):
        memories[1]["m0.mem"].words(width=64, depth=1024)
