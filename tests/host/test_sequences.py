"""Test sequences as frames, with their label."""

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.host import sequences
from sw.host.image import STILL, read_image
from sw.host.samples import first_images, of_sequences, one_image, own_data
from sw.host.sequences import first_frames, first_sequences, is_sequence, one_sequence
from tests.host.utterances import SHAPE


def test_one(vowels):
    for n, length in enumerate(vowels.test_lengths.tolist()):
        found = one_sequence(f"vowels:{n}", SHAPE)
        np.testing.assert_array_equal(found.pixels, vowels.test_images[n, :length])
        assert (found.name, found.label) == (f"vowels:{n}", n)
        assert found.names == tuple(f"vowels:{n}, frame {k}" for k in range(length))
    assert found.verdict([1, 0, 9, 3]) == "vowels:2: class 2 after 3 frames, label 2: right"
    assert found.verdict(np.array([1, 7, 3])).endswith("class 1 after 3 frames, label 2: WRONG")


def test_several_in_a_row(vowels):
    whole, names = first_frames(9, SHAPE, "vowels")
    rows = zip(vowels.test_images, vowels.test_lengths, strict=True)
    np.testing.assert_array_equal(whole, np.concatenate([f[:n] for f, n in rows]))
    for count in range(1, 9):
        few, named = first_frames(count, SHAPE, "vowels")
        np.testing.assert_array_equal(few, whole[:count])
        assert named == names[:count]
    for count in (0, 10):
        with pytest.raises(SpikeloomError, match=f"--images is {count}, wanted 1 to 9, the test f"):
            first_frames(count, SHAPE, "vowels")


def test_sequences_as_images(vowels):
    """Each has its name and label; the frames lie in a row."""
    found = first_sequences(2, SHAPE, "vowels")
    images = of_sequences(found)
    assert (images.names, images.labels) == (("vowels:0", "vowels:1"), (0, 1))
    np.testing.assert_array_equal(images.pixels, first_frames(6, SHAPE, "vowels")[0])
    assert images.accuracy([0, 5])[1].startswith("right 1 of 2 (50.00 %); wrong: vowels:1 (")
    for count in (0, 4):
        with pytest.raises(SpikeloomError, match=f"--images is {count}, wanted 1 to 3, the test s"):
            first_sequences(count, SHAPE, "vowels")


@pytest.mark.parametrize("index", ["3", "-1", "", "x", "1:2"])
def test_index_that_is_none(vowels, index):
    with pytest.raises(SpikeloomError, match=f"'vowels:{index}': the index must be 0 to 2"):
        one_sequence(f"vowels:{index}", SHAPE)


def test_frames_of_another_shape(vowels):
    with pytest.raises(SpikeloomError, match=r"vowels have shape \[12, 1, 1\], but the network re"):
        one_sequence("vowels:0", (1, 16, 16))


def test_names():
    assert is_sequence("vowels:3")
    assert not is_sequence("vowels.npy")
    assert not is_sequence("digits:3")
    assert set(sequences.SEQUENCES).isdisjoint(STILL)
    assert sequences.SEQUENCES[0] in sequences.KIND


def test_images_of_a_network_of_sequences(vowels):
    """Its image is a sequence, its first images are frames; neither has labels each."""
    assert own_data(SHAPE, "vowels") == "vowels"
    for source in (None, "0", "vowels:0"):
        found = one_image(source, SHAPE, 9, "vowels")
        np.testing.assert_array_equal(found.pixels, vowels.test_images[0])
        assert (found.labels, found.sequence.label) == ((), 0)
    found = first_images(5, SHAPE, 9, "vowels")
    assert (found.pixels.shape, found.labels, found.sequence) == ((5, *SHAPE), (), None)
    assert found.names[-1] == "vowels:1, frame 0"
    with pytest.raises(SpikeloomError, match="vowels has sequences and no still images; python -m"):
        read_image("vowels:0", SHAPE)
