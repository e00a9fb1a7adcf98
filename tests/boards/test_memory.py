"""Memories outside of boards: how many words of a core each has, and which one a core gets."""

import pytest

import boards
from boards.memory import Flash, Sdram
from hw.arch import SpikeloomError


def test_words_of_a_flash_begin_behind_the_configuration():
    assert Flash(size=16 << 20, offset=4 << 20, volatile_quad=False).words == 3
    assert Flash(size=16 << 20, offset=2 << 20, volatile_quad=False).words == 3
    assert Flash(size=16 << 20, offset=0, volatile_quad=False).words == 4


@pytest.mark.parametrize("name", boards.NAMES)
def test_offsets_begin_an_erase_block(name):
    """Of 64 KB, so that writing the words leaves the configuration alone."""
    for memory in boards.get(name).outside:
        if isinstance(memory, Flash):
            assert memory.offset % (64 << 10) == 0
            assert memory.words > 0


def test_a_core_gets_the_first_or_the_one_that_is_wanted():
    ulx3s = boards.get("ulx3s")
    assert isinstance(ulx3s.memory, Sdram)
    assert isinstance(ulx3s.having("flash").memory, Flash)
    assert ulx3s.having("sdram").outside == (ulx3s.memory,)
    assert boards.get("cmod_a7").memory is None


def test_a_memory_that_is_not_there_is_refused():
    for name, known in (("arty_a7", "flash"), ("cmod_a7", "none")):
        with pytest.raises(SpikeloomError, match=rf"board {name}: .*'sdram'; .*knows {known} of"):
            boards.get(name).having("sdram")
