"""Images of a network's own data set, with their labels."""

import argparse
from types import SimpleNamespace

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.host import samples
from sw.host.samples import Images, count, files, first_images, noise, one_image, own_data


def test_accuracy_names_what_is_wrong():
    pixels = np.zeros((3, 1, 2, 2), np.uint8)
    images = Images(pixels=pixels, names=("a:0", "a:1", "a:2"), labels=(4, 5, 6))
    assert images.accuracy([4, 0, 6]) == [
        "labels  4 5 6",
        "right 2 of 3 (66.67 %); wrong: a:1 (label 5, class 0)",
    ]
    many = Images(pixels=np.zeros((30, 1)), names=("n",) * 30, labels=(1,) * 30)
    assert many.accuracy([0] * 30)[1].endswith("(label 1, class 0) and 10 more")
    assert Images(pixels=pixels, names=images.names).accuracy([1, 2, 3]) == []


ONE = Images(pixels=np.zeros((1, 1)), names=("a",), labels=(4,))
MANY = Images(pixels=np.zeros((3, 1)), names=("a", "b", "c"), labels=(4, 5, 6))


def test_titles():
    assert ONE.title == "image a"
    assert MANY.title == "images a to c"


def test_verdict_of_one_image():
    assert ONE.verdict(4) == ", label 4: right"
    assert ONE.verdict(5) == ", label 4: WRONG"
    assert Images(pixels=ONE.pixels, names=ONE.names).verdict(4) == ""


def test_steps_of_a_stream_have_no_labels():
    assert MANY.of(SimpleNamespace(stream=False)) is MANY
    steps = MANY.of(SimpleNamespace(stream=True))
    assert (steps.labels, steps.names) == ((), MANY.names)
    assert steps.pixels is MANY.pixels


def test_all_right():
    assert MANY.accuracy([4, 5, 6])[1] == "right 3 of 3 (100.00 %)"
    told = Images(pixels=np.zeros((20, 1)), names=("n",) * 20, labels=(1,) * 20).accuracy([0] * 20)
    assert told[1].count("n (label 1, class 0)") == 20
    assert "more" not in told[1]
    many = Images(pixels=np.zeros((21, 1)), names=("n",) * 21, labels=(1,) * 21).accuracy([0] * 21)
    assert many[1].count("n (label 1, class 0)") == 20
    assert many[1].endswith(" and 1 more")


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("020", 20)])
def test_count(text, value):
    assert count(text) == value


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "", " 1", "x"])
def test_count_of_none(text):
    with pytest.raises(argparse.ArgumentTypeError, match="give a whole number from 1"):
        count(text)


@pytest.mark.parametrize(
    ("shape", "data", "own"),
    [
        ((1, 16, 16), "mnist", "mnist"),
        ((3, 32, 32), "digits", "digits"),
        ((1, 16, 16), None, "digits"),
        ((1, 16, 16), "my own", "digits"),
        ((1, 16, 16), "n-mnist", "digits"),  # no still images
        ((3, 16, 16), None, ""),
        ((1, 16, 8), None, ""),
        ((1, 28, 28), None, ""),
        ((4, 1, 16, 16), None, ""),
    ],
)
def test_own_data(shape, data, own):
    assert own_data(shape, data) == own


def test_noise_is_the_same_each_time():
    got = noise(3, (1, 4, 5))
    assert (got.pixels.shape, got.pixels.dtype) == ((3, 1, 4, 5), np.uint8)
    assert got.names == ("noise:0", "noise:1", "noise:2")
    assert got.labels == ()
    assert (noise(3, (1, 4, 5)).pixels == got.pixels).all()
    assert (noise(2, (1, 4, 5)).pixels == got.pixels[:2]).all()
    assert got.pixels.max() > 200


@pytest.fixture
def mnist(monkeypatch):
    """An MNIST of 5 test images, image n of which is full of 10 n and has label 2 n."""
    images = np.zeros((5, 1, 8, 8), np.uint8)
    images += 10 * np.arange(5, dtype=np.uint8)[:, None, None, None]
    found = SimpleNamespace(test_images=images, test_labels=2 * np.arange(5), classes="0123456789")

    def load(name, side):
        assert (name, side) == ("mnist", 8)
        return found

    monkeypatch.setattr(samples, "load", load)
    monkeypatch.setattr("sw.host.image.load", load)
    return images


SHAPE = (1, 8, 8)


@pytest.mark.parametrize(("source", "number"), [(None, 0), ("0", 0), ("3", 3), ("mnist:4", 4)])
def test_image_of_the_networks_own_data(source, number, mnist):
    got = one_image(source, SHAPE, 10, "mnist")
    np.testing.assert_array_equal(got.pixels, mnist[number][None])
    assert got.names == (f"mnist:{number}",)
    assert got.labels == (2 * number,)


def test_labels_of_other_classes_say_nothing(mnist):
    assert one_image("3", SHAPE, 9, "mnist").labels == ()
    assert first_images(2, SHAPE, 11, "mnist").labels == ()


def test_image_of_a_file_has_no_label(tmp_path, mnist):
    np.save(tmp_path / "a.npy", mnist[2])
    got = one_image(str(tmp_path / "a.npy"), SHAPE, 10, "mnist")
    np.testing.assert_array_equal(got.pixels, mnist[2][None])
    assert (got.names, got.labels) == ((str(tmp_path / "a.npy"),), ())


def test_noise_where_there_is_no_data(monkeypatch, capsys):
    def gone(name, side):
        raise SpikeloomError("it is gone")

    assert one_image(None, SHAPE, 10, "").names == ("noise:0",)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sw.host.image.load", gone)
    assert one_image(None, SHAPE, 10, "mnist").names == ("noise:0",)
    assert capsys.readouterr().err == "note: noise instead of an image: it is gone\n"
    with pytest.raises(SpikeloomError, match="it is gone"):
        one_image("0", SHAPE, 10, "mnist")
    with pytest.raises(SpikeloomError, match=r"^image 7: the network names no data set of still"):
        one_image("7", SHAPE, 10, "")


def test_first_images(mnist):
    for number in (1, 5):
        got = first_images(number, SHAPE, 10, "mnist")
        np.testing.assert_array_equal(got.pixels, mnist[:number])
        assert got.names == tuple(f"mnist:{n}" for n in range(number))
        assert got.labels == tuple(range(0, 2 * number, 2))
    for number in (0, 6):
        with pytest.raises(SpikeloomError) as e:
            first_images(number, SHAPE, 10, "mnist")
        assert str(e.value) == f"--images is {number}, wanted 1 to 5, the test images of mnist"
    with pytest.raises(SpikeloomError, match=r"give one image by --image$"):
        first_images(1, SHAPE, 10, "")


def test_files_and_folders(tmp_path):
    """Those of a folder by name, with labels where all are known."""
    for name in ("1/a.npy", "0/b.npy", "cats/c.npy", "7/d.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / name, np.full((2, 2), ord(name[-5]), np.uint8))
    (tmp_path / "0" / "notes.txt").touch()

    def read(*sources):
        return files([str(tmp_path / source) for source in sources], (1, 2, 2), 3)

    both = read("0", "1/a.npy")
    assert [name[-7:] for name in both.names] == ["0/b.npy", "1/a.npy"]
    assert both.labels == (0, 1)
    assert both.pixels.shape == (2, 1, 2, 2)
    assert both.pixels[:, 0, 0, 0].tolist() == [ord("b"), ord("a")]
    assert read("").labels == ()  # "cats" is no number, 7 no class of 3
    assert len(read("").names) == 4
    (tmp_path / "none").mkdir()
    with pytest.raises(SpikeloomError, match=r"none' holds no image; images are \.npy"):
        read("none")


def test_one_of_many():
    one = MANY.one(1)
    assert (one.names, one.labels) == (("b",), (5,))
    assert Images(pixels=MANY.pixels, names=MANY.names).one(2).labels == ()
