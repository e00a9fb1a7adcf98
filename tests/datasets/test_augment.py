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


@pytest.mark.parametrize(("strength", "reach"), [(1.0, 2), (0.5, 1), (2.0, 4)])
def test_the_frames_of_a_recording_move_together(strength, reach):
    torch.manual_seed(0)
    x = torch.randint(0, 5, (20, 4, 2, 16, 16), dtype=torch.uint8)
    kept = x.clone()
    y = augment_events(x, strength)
    assert y.dtype == torch.float32
    moves = set()
    for before, after in zip(x.float(), y, strict=True):
        found = [n for n, p in enumerate(places(before, reach)) if torch.equal(p, after)]
        assert len(found) == 1  # of up to an eighth of 16 times the strength, never mirrored
        moves.add(found[0])
    assert len(moves) > 5
    assert torch.equal(augment_events(x, 0.0), x.float())
    assert torch.equal(x, kept)


def test_the_frames_of_photographs_move_and_turn_together():
    torch.manual_seed(0)
    x = torch.randint(0, 256, (30, 3, 1, 10, 8), dtype=torch.uint8)
    turned = 0
    for before, after in zip(x.float(), augment_photographs(x, 0.25), strict=True):
        plain = sum(torch.equal(p, after) for p in places(before, 1))
        mirrored = sum(torch.equal(p, after) for p in places(before.flip(-1), 1))
        assert plain + mirrored == 1
        turned += mirrored
    assert 5 < turned < 25
    assert torch.equal(augment_photographs(x, 0.0), x.float())


def test_photographs_move_by_at_most_four_pixels():
    torch.manual_seed(0)
    x = torch.rand(300, 1, 12, 12) * 255
    seen = set()
    for before, after in zip(x, augment_photographs(x), strict=True):
        both = [*places(before, 4), *places(before.flip(-1), 4)]
        found = [n % 81 for n, p in enumerate(both) if torch.equal(p, after)]
        assert len(found) == 1
        seen.add(found[0])
    assert {n // 9 for n in seen} == {n % 9 for n in seen} == set(range(9))
