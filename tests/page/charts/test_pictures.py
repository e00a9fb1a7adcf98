"""Charts made of pixels."""

import numpy as np

from sw.page.charts import pictures


def test_tinted():
    found = pictures.tinted(np.array([[0.0, 1.0, 2.0]]))
    assert found[..., 3].tolist() == [[0, 255, 255]]
    assert found.dtype == np.uint8


def test_pooled_means():
    values = np.arange(10.0).reshape(1, 10)
    part, each = pictures.pooled(values, 4, 1)
    assert (part.tolist(), each) == ([[1.0, 4.0, 7.0, 9.0]], 3)
    part, each = pictures.pooled(values, 10, 1)
    assert (part.tolist(), each) == (values.tolist(), 1)


def test_pictures_of_images():
    gray = np.full((1, 2, 3), 7, np.uint8)
    assert pictures.picture(gray).shape == (2, 3, 3)
    assert pictures.picture(np.zeros((3, 4, 5), np.uint8)).shape == (4, 5, 3)
    frames = np.zeros((6, 2, 4, 5), np.uint8)
    frames[3, 1, 2, 2] = 9
    assert pictures.picture(frames)[2, 2].tolist() == [9, 9, 9]


def test_where_is_looked_at(digits):
    a = digits[2].attention[0]
    found = pictures.received(a)
    assert found.shape == (4, 4, 4)
    assert found[1, 2, 3] == a.maps[:, 1, :, 11].mean()


def test_words_of_the_pictures(digits):
    page = digits[2]
    assert f"{sum(page.spikes[0].counts)} spikes" in pictures.raster(page.spikes[0], 0).alt
    assert page.spikes[-1].name in pictures.rates(page.spikes).alt
    assert "4 heads, 4 steps, 16 x 16" in pictures.maps(page.attention[0], page.sample, 0).alt
    assert "20 right" in pictures.matrix(page.confusion).alt
    assert "digits:0" in pictures.image(page.sample).alt
