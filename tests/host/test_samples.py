"""Images of a network's own data set, with their labels."""

import numpy as np

from sw.host.samples import Images


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
