"""The instruction encoding: no overlap, exact round trip, nothing truncated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.arch import SpikeloomError, isa
from hw.arch.formats import STATE_BITS, state_levels
from hw.arch.isa import FIELDS, NI, Instruction, Op, decode, encode, instructions


def test_fields_do_not_overlap_and_have_one_name():
    used = [0] * NI
    for f in FIELDS:
        mask = ((1 << f.bits) - 1) << f.low
        assert mask < 1 << 32, f.name
        assert not used[f.word] & mask, f.name
        used[f.word] |= mask
    assert len({f.name for f in FIELDS}) == len(FIELDS)


def test_early_fields_come_first():
    late = [f.word >= isa.LATE_WORD for f in FIELDS]
    assert late == sorted(late)


def having(f):
    """Return an operation whose instructions have a field."""
    others = {o.only for o in isa.OVERLAYS if o.over == f.name}
    return f.only or next(op for op in (Op.GEMM, Op.POOL, Op.MAC) if op not in others)


values = st.fixed_dictionaries(
    {
        f.name: st.integers(
            -(1 << (f.bits - 1)) if f.signed else 0,
            (1 << (f.bits - 1)) - 1 if f.signed else (1 << f.bits) - 1,
        )
        for f in FIELDS
        if f.name != "op"
    }
)


@given(st.sampled_from(list(Op)), values)
def test_round_trip(op, fields):
    for f in isa.OVERLAYS:
        if f.only == op:  # it stands in the place of another
            value = fields[f.over]
            if f.signed != isa.BY_NAME[f.over].signed:
                value = fields["centre1"] if f.signed else value % (1 << f.bits)
            fields |= {f.name: value, f.over: 0}
    words = encode(op, **fields)
    assert len(words) == NI
    assert all(0 <= w < 1 << 32 for w in words)
    assert decode(words) == Instruction(op=op, **fields)


@given(st.sampled_from([f for f in FIELDS if f.name != "op"]), st.data())
def test_one_field_leaves_the_others_alone(field, data):
    low, high = field.least, field.most
    value = data.draw(st.integers(low, high))
    op = having(field)
    got = decode(encode(op, **{field.name: value}))
    others = {k: v for k, v in vars(got).items() if k not in ("op", field.name)}
    assert not any(others.values())
    assert (getattr(got, field.name) - value) % (1 << field.bits) == 0
    for bad in (low - 1, high + 1):
        with pytest.raises(SpikeloomError, match=f"field {field.name} has {field.bits} bits"):
            encode(op, **{field.name: bad})


def test_unknown_field_wrong_length_no_halt():
    with pytest.raises(SpikeloomError, match="no instruction field is called 'nk'"):
        encode(Op.GEMM, nk=3)
    with pytest.raises(SpikeloomError, match=f"has {NI} words, not 3"):
        decode([0, 0, 0])
    with pytest.raises(SpikeloomError, match="has no HALT"):
        instructions(encode(Op.POOL) * 2)


def test_program_ends_at_halt():
    words = encode(Op.POOL, n_k=1) + encode(Op.HALT) + encode(Op.GEMM)
    assert [i.op for i in instructions(words)] == [Op.POOL, Op.HALT]


@pytest.mark.parametrize("bits", STATE_BITS)
def test_table_words_follow_their_instruction(bits):
    levels = state_levels(bits)
    table = [33 * n for n in range(1, levels + 1)]
    words = [*encode(Op.POOL, n_k=1), *encode(Op.TABLE, n_k=levels), *table, *encode(Op.HALT)]
    pool, loaded, halt = instructions(words)
    assert (pool.op, loaded.op, halt.op) == (Op.POOL, Op.TABLE, Op.HALT)
    assert loaded.table == tuple(table)
    assert pool.table == ()


def test_table_without_words():
    """All thresholds may be out of reach."""
    loaded, halt = instructions([*encode(Op.TABLE), *encode(Op.HALT)])
    assert (loaded.table, halt.op) == ((), Op.HALT)


@pytest.mark.parametrize("name", [f.name for f in (*isa.FIELDS, *isa.OVERLAYS) if f.signed])
def test_signed_fields_refuse_what_they_cannot_hold(name):
    """Only address deltas count modulo 2**16."""
    f, op = isa.BY_NAME[name], having(isa.BY_NAME[name])
    most = (1 << f.bits) - 1 if f.modular else (1 << (f.bits - 1)) - 1
    assert f.modular == name.startswith(("row_", "col_"))
    for value in (-(1 << (f.bits - 1)), -1, most):
        got = getattr(isa.decode(isa.encode(op, **{name: value})), name)
        assert got == value or (f.modular and (got - value) % (1 << f.bits) == 0)
    for value in (-(1 << (f.bits - 1)) - 1, most + 1):
        with pytest.raises(SpikeloomError, match=f"field {name} has {f.bits} bits and cannot hold"):
            isa.encode(op, **{name: value})


def test_overlays_exist_in_their_operation_alone():
    words = isa.encode(isa.Op.MAC, centre4=-7, centre7=300)
    assert isa.decode(words).centre4 == -7
    assert isa.decode(words).sc_base == 0
    assert isa.decode(isa.encode(isa.Op.GEMM, sc_base=9)).centre4 == 0
    with pytest.raises(SpikeloomError, match="GEMM: this operation has no field centre5"):
        isa.encode(isa.Op.GEMM, centre5=1)
    with pytest.raises(SpikeloomError, match="MAC: this operation has no field row_gs"):
        isa.encode(isa.Op.MAC, row_gs=1)
