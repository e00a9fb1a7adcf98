"""Moved and mirrored images are among the possible ones."""

import pytest
import torch
import torch.nn.functional as F

from sw.data.augment import augment_events, augment_photographs, shifted


def places(image, reach):
    """All moves of an image (..., H, W)."""
    h, w = image.shape[-2:]
    padded = F.pad(image, (reach,) * 4)
    moves = range(2 * reach + 1)
    return [padded[..., y : y + h, x : x + w] for y in moves for x in moves]


@pytest.mark.parametrize("shape", [(1, 9, 7), (3, 8, 8), (4, 2, 6, 10)])
def test_shifts_move_a_whole_image(shape):
    torch.manual_seed(0)
    x = torch.rand(40, *shape)
    y = shifted(x, 2)
    assert y.shape == x.shape
    seen = set()
    for before, after in zip(x, y, strict=True):
        found = [n for n, p in enumerate(places(before, 2)) if torch.equal(p, after)]
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) > 15  # of 25
    assert torch.equal(shifted(x, 0), x)


def test_photographs_are_mirrored_half_of_the_time():
    torch.manual_seed(0)
    x = torch.randint(0, 256, (60, 3, 12, 12), dtype=torch.uint8)
    y = augment_photographs(x, 0.5)
    assert y.dtype == torch.float32
    mirrored = 0
    for before, after in zip(x.float(), y, strict=True):
        plain = any(torch.equal(p, after) for p in places(before, 2))
        turned = any(torch.equal(p, after) for p in places(before.flip(-1), 2))
        assert plain != turned
        mirrored += turned
    assert 15 < mirrored < 45
    assert torch.equal(augment_photographs(x, 0.0), x.float())
    torch.manual_seed(0)
    first = augment_photographs(x)
    torch.manual_seed(0)
    assert torch.equal(augment_photographs(x), first)


def test_the_frames_of_a_recording_move_together():
    torch.manual_seed(0)
    x = torch.randint(0, 5, (20, 4, 2, 16, 16), dtype=torch.uint8)
    y = augment_events(x, 1.0)
    for before, after in zip(x.float(), y, strict=True):
        assert sum(torch.equal(p, after) for p in places(before, 2)) == 1  # an eighth of 16
    assert torch.equal(augment_events(x, 0.0), x.float())
