# amaranth: UnusedElaboratable=no
"""Config refuses impossible sizes in a sentence; load port addresses hold what they should."""

import dataclasses
import re

import pytest

from hw.arch import Config, SpikeloomError, formats, isa

FIELDS = [f.name for f in dataclasses.fields(Config)]
MAY_BE_0 = ["state_bits", "pixels", "pool_depth", "means", "prefetch", "block_depth", "outside"]
DEPTHS = ["row_depth", "col_depth", "res_depth", "pix_depth", "prog_depth"]


def refused(**sizes):
    with pytest.raises(SpikeloomError) as e:
        Config(**sizes)
    return str(e.value)


def says(name, value, want):
    return f"core configuration: {name} = {value!r}, but it must be {want}"


@pytest.mark.parametrize("value", [0, -1, 4.0, "4", None, True])
@pytest.mark.parametrize("name", [f for f in FIELDS if f not in MAY_BE_0])
def test_positive_integers(name, value):
    assert refused(**{name: value}) == says(name, value, "a positive integer")


@pytest.mark.parametrize("value", [-1, 8.0, "8", None, False, True])
@pytest.mark.parametrize("name", MAY_BE_0)
def test_whole_numbers(name, value):
    assert refused(**{name: value}) == says(name, value, "a whole number")


@pytest.mark.parametrize(
    ("name", "value", "want", "rest"),
    [
        ("rows", 1, "4, 8 or 16", {}),
        ("rows", 2, "4, 8 or 16", {}),
        ("rows", 5, "4, 8 or 16", {}),  # not a power of two
        ("rows", 32, "4, 8 or 16", {}),
        ("cols", 4, "8, 16, 32 or 64", {}),
        ("cols", 12, "8, 16, 32 or 64", {}),
        ("cols", 128, "8, 16, 32 or 64", {"rows": 16}),
        ("cols", 32, "at most rows squared (16)", {"rows": 4}),
        ("cols", 8, "at least rows (16)", {"rows": 16}),
        ("width", 16, "32, 64 or 128", {}),
        ("width", 48, "32, 64 or 128", {}),
        ("width", 256, "32, 64 or 128", {}),
        ("width", 32, "a multiple of cols (64)", {"rows": 8, "cols": 64}),
        ("acc_bits", 7, "8 to 16", {}),
        ("acc_bits", 17, "8 to 16", {}),
        *(("state_bits", value, "0, 2, 4 or 8", {}) for value in (1, 3, 6, 7, 9, 16)),
        *((name, value, "64 to 65536", {}) for name in DEPTHS for value in (1, 63, 65537)),
        ("pixels", 3, "1, 2 or 0 (one for each row)", {}),
        ("pixels", 4, "1, 2 or 0 (one for each row)", {}),
        ("pool_depth", 65537, "at most 65536", {}),
        ("block_depth", 96, "a power of two, or 0 for a core without a mover", {}),
        ("block_depth", 1024, "at most half of col_depth (512)", {"col_depth": 1024}),
        ("outside", 1, "0 without a block_depth", {}),
        ("outside", 129, "at most 128", {"block_depth": 64}),
        ("means", 2, "0 or 1", {}),
        ("prefetch", 2, "0 or 1", {}),
    ],
)
def test_refuses(name, value, want, rest):
    assert refused(**{name: value, **rest}) == says(name, value, want)


def test_first_mistake_is_the_one_named():
    assert refused(rows=3, cols=7) == says("rows", 3, "4, 8 or 16")


@pytest.mark.parametrize(
    "sizes",
    [
        {"rows": 4, "cols": 8, "width": 32},
        {"rows": 4, "cols": 16, "width": 128},
        {"rows": 8, "cols": 64, "width": 64},
        {"rows": 16, "cols": 64, "width": 128},
        {"rows": 16, "cols": 16, "width": 32},
        {"acc_bits": 8},
        {"acc_bits": 16},
        *({name: value} for name in DEPTHS for value in (64, 65536)),
        *({"state_bits": value} for value in (0, 2, 4, 8)),
        *({"pixels": value} for value in (0, 1, 2)),
        *({"pool_depth": value} for value in (0, 1, 65536)),
        *({"means": value} for value in (0, 1)),
        *({"prefetch": value} for value in (0, 1)),
    ],
)
def test_accepts_the_ends_of_every_range(sizes):
    config = Config(**sizes)
    assert {k: v for k, v in config.as_dict().items() if k in sizes} == sizes


def test_positional_and_later_changes_are_refused():
    with pytest.raises(TypeError):
        Config(4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().rows = 8
    with pytest.raises(SpikeloomError, match=re.escape(says("cols", 12, "8, 16, 32 or 64"))):
        dataclasses.replace(Config(), cols=12)


def test_derived_numbers():
    config = Config(rows=4, cols=8, width=32, acc_bits=8)
    assert config.peak == 4 * 8 * 32
    assert [Config(rows=8, pixels=n).tile_pixels for n in (0, 1, 2)] == [8, 1, 2]
    assert config.max_count == 127
    mover = dataclasses.replace(config, block_depth=64, outside=1)
    assert list(mover.as_dict()) == FIELDS
    assert list(config.as_dict()) == FIELDS[:-2]  # a core without a mover tells nothing of one
    for c in (config, mover):
        assert Config(**c.as_dict()) == c


def test_digest_tells_every_field_apart():
    plain = Config(rows=8, cols=16, width=64)
    others = [
        dataclasses.replace(plain, **change)
        for change in (
            {"rows": 4},
            {"cols": 8},
            {"width": 32},
            {"acc_bits": 12},
            {"state_bits": 4},
            {"state_bits": 0},
            {"res_bits": 1},
            {"pixels": 1},
            {"pool_depth": 0},
            {"means": 0},
            {"prefetch": 0},
            {"block_depth": 64},
            {"block_depth": 64, "outside": 1},
            *({name: 100} for name in DEPTHS),
        )
    ]
    digests = [c.digest for c in (plain, *others)]
    assert len(set(digests)) == len(FIELDS) + 2
    assert all(0 <= d < 1 << 32 for d in digests)
    assert dataclasses.replace(plain).digest == plain.digest


@pytest.mark.parametrize("fact", ["SHIFTS", "STATE_SHIFTS", "STATE_MAX", "STATE_CELLS"])
def test_digest_tells_formats_apart(monkeypatch, fact):
    """What programs and images rely on beside the fields of an instruction."""
    plain, value = Config().digest, getattr(formats, fact)
    monkeypatch.setattr(formats, fact, (*value[:-1], 13) if fact.endswith("SHIFTS") else value - 1)
    assert Config().digest != plain
    monkeypatch.undo()
    assert Config().digest == plain


def test_digest_tells_instruction_sets_apart(monkeypatch):
    """A field's name, word, place and width each count."""
    plain, fields = Config().digest, isa.FIELDS
    f = isa.BY_NAME["persist"]
    at = fields.index(f)
    for change in ({"name": "other"}, {"word": f.word - 1}, {"low": f.low + 1}, {"bits": 2}):
        monkeypatch.setattr(
            isa, "FIELDS", (*fields[:at], dataclasses.replace(f, **change), *fields[at + 1 :])
        )
        assert Config().digest != plain
    monkeypatch.undo()
    assert Config().digest == plain


def test_residual_words_of_one_bit_may_be_few():
    assert refused(res_bits=2) == says("res_bits", 2, "1 or 18")
    assert Config(res_bits=1, res_depth=16).res_depth == 16
    assert refused(res_bits=1, res_depth=15) == says("res_depth", 15, "16 to 65536")
    assert refused(res_bits=1, row_depth=16) == says("row_depth", 16, "64 to 65536")


def test_changed_by_text():
    config = Config(cols=8)
    assert config.changed("") == config
    assert config.changed(" rows = 8 , width=64,") == Config(rows=8, cols=8, width=64)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows", "rows = '' is no integer"),
        ("rows=-8", "rows = '-8' is no integer"),
        ("rows=8.0", "rows = '8.0' is no integer"),
        ("rows=8,rows=8", "rows stands twice in 'rows=8,rows=8'; give it once"),
        ("row=8", "no field 'row'; give NAME=VALUE,..., such as rows=8,width=64; fields are rows"),
        ("rows=3", says("rows", 3, "4, 8 or 16")),
    ],
)
def test_changes_that_are_refused(text, message):
    with pytest.raises(SpikeloomError, match=re.escape(message)):
        Config().changed(text)
