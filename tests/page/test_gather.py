"""What is gathered, and what is refused."""

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.page.gather import choose, confusion, gather


def test_sample_and_logits(digits):
    network, program, page = digits
    assert (page.sample.name, page.sample.label, page.sample.note) == ("image digits:0", 7, "")
    golden = network.run(page.sample.pixels[None])
    assert page.sample.logits.tolist() == golden.logits[0].tolist()
    assert (page.name, page.exact, page.first_cycles) == ("digits", True, program.first_cycles)


def test_confusion_is_the_golden_models(digits):
    from sw.data import load_digits

    network, _, page = digits
    data = load_digits()
    counts = np.zeros((10, 10), int)
    answers = network.run(data.test_images[:20]).predictions
    np.add.at(counts, (data.test_labels[:20], answers), 1)
    assert page.confusion.counts.tolist() == counts.tolist()


def test_noise_says_why(qsnn):
    _, program, _ = qsnn
    images, why = choose(program, "")
    assert images.names == ("noise:0",)
    assert "no data set" in why


def test_without_a_network(qsnn):
    _, program, _ = qsnn
    page = gather(program)
    assert (page.exact, page.confusion) == (False, None)
    with pytest.raises(SpikeloomError, match=r"--images: .*its network is not here; leave it out"):
        gather(program, images=3)


def test_a_stream_has_no_matrix(stream):
    network, program, _ = stream
    with pytest.raises(SpikeloomError, match="its images are steps of a stream"):
        confusion(program, network, 3, "digits")
