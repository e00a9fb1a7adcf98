"""Instructions, labels and needs of a program under construction."""

import dataclasses

import numpy as np
import pytest

from hw.arch import SpikeloomError, isa
from hw.arch.config import Config
from hw.arch.formats import STATE_MAX
from hw.arch.isa import Dest, Keep, Op, Res
from sw.compiler import Label, compile_network
from sw.compiler.emit.emitter import Emitter
from sw.network import Residual, State
from sw.testing import random_network
from tests.compiler.emit.made import mapped
from tests.compiler.nets import conv, mean, network, pixel

OWN = Config(means=0)  # means have instructions of their own


def test_a_field_that_is_too_narrow_is_named(small, monkeypatch):
    net = random_network(1, **small | {"classes": 300})
    narrow = dataclasses.replace(isa.BY_NAME["n_j"], bits=4)
    monkeypatch.setitem(isa.BY_NAME, "n_j", narrow)
    with pytest.raises(
        SpikeloomError,
        match=r"column tiles j is 19, but instruction field n_j "
        "holds 0 to 15",
    ):
        compile_network(net, Config(col_depth=1 << 14))


def emitter():
    mapper = mapped(network(pixel(), conv("a", "p"), mean("a.s")))
    return Emitter(mapper.net, mapper.place, mapper.constants)


def test_an_instruction_and_its_label():
    m = emitter()
    label = Label(layer="x", op="GEMM")
    m.emit(Op.GEMM, label, {"k": 2}, {"j": 5}, row_base=-3, col_base=7, n_k=4, n_j=2, w_base=70_000)
    m.halt()
    first, last = isa.instructions(m.words)
    assert (first.op, first.n_k, first.n_j, first.w_base) == (Op.GEMM, 4, 2, 70_000 - 65_536)
    assert (first.row_base, first.row_k, first.row_j) == (65_533, 2, 0)
    assert (first.col_base, first.col_k, first.col_j) == (7, 0, 5)
    assert last.op == Op.HALT
    assert m.labels == [label, Label(layer="(end)", op="HALT")]
    assert m.problems == []


def test_values_that_do_not_fit_are_told_and_encoded_as_0():
    m = emitter()
    m.emit(Op.GEMM, Label(layer="x", op="GEMM"), {}, {}, n_t=256, theta=-1, n_k=3)
    assert m.problems == [
        "layer 'x': count of t (1 for MAC with spread) is 256, but instruction field n_t holds "
        "0 to 255",
        "layer 'x': threshold; 0 = the neuron is not used is -1, but instruction field theta holds "
        "0 to 262143",
    ]
    i = isa.decode(m.words)
    assert (i.n_t, i.theta, i.n_k) == (0, 0, 3)


def test_bits_of_a_count():
    m = emitter()
    for depth, wanted in ((7, 4), (8, 5), (3, 5), (127, 8), (128, 9)):
        m.count(depth)
        assert m.needs["acc_bits"] == wanted


@pytest.mark.parametrize(
    ("depth", "plain", "both"), [(127, 8, 8), (2047, 12, 12), (2048, 13, 14), (4095, 13, 14)]
)
def test_bits_of_a_count_of_both_signs(depth, plain, both):
    """Where sums share an adder, one of 13 bits that may be negative has half of its field."""
    for both_signs, wanted in ((False, plain), (True, both)):
        m = emitter()
        m.count(depth, both_signs=both_signs)
        assert m.needs["acc_bits"] == wanted


def test_last_lanes():
    assert [emitter().last_lanes(n) for n in (1, 15, 16, 17, 32, 33)] == [1, 15, 16, 1, 16, 1]


def test_least_cycles_of_a_tile():
    m = emitter()
    assert [m.tile_min(n, {"leak": 1}) for n in (2, 5, 8)] == [5, 5, 8]
    assert [m.tile_min(2, {"leak": 0}), m.tile_min(2, {})] == [2, 2]


def with_state(state, theta=9, soft=False):
    layer = conv("x", "p")
    neuron = dataclasses.replace(layer.neuron, theta=theta, soft=soft, state=state)
    affine = dataclasses.replace(layer.affine, shift=10)
    return dataclasses.replace(layer, neuron=neuron, affine=affine)


def test_fields_of_neurons():
    m = emitter()
    assert m.neuron(conv("x", "p", neuron=False)) == {"shift": 0}
    assert m.neuron(with_state(None, soft=True)) == {"shift": 2, "theta": 9, "soft": 1}
    assert (m.words, m.needs["state_bits"]) == ([], 0)
    state = State(bits=4, thresholds=33 * np.arange(1, 8), shift=8)
    wanted = {"shift": 2, "theta": 9, "soft": 0, "leak": 1, "state_shift": 2, "state_bits": 1}
    assert m.neuron(with_state(state)) == wanted
    assert m.needs["state_bits"] == 4


def test_tables_are_loaded_once():
    """Again where thresholds or cells change; thresholds out of reach are left out."""
    m = emitter()
    few = State(bits=4, thresholds=np.r_[33 * np.arange(1, 7), STATE_MAX + 1], shift=8)
    alike = State(bits=4, thresholds=np.r_[33 * np.arange(1, 7), STATE_MAX + 9], shift=11)
    other = State(bits=2, thresholds=np.array([5]), shift=4)
    fine = State(bits=2, thresholds=np.array([5]), shift=1)
    for state in (few, few, alike, other, fine, fine, few):
        m.neuron(with_state(state))
    m.halt()
    *tables, _ = isa.instructions(m.words)
    assert [(i.op, i.state_shift, i.table) for i in tables] == [
        (Op.TABLE, 2, tuple(33 * n for n in range(1, 7))),
        (Op.TABLE, 1, (5,)),
        (Op.TABLE, 0, (5,)),
        (Op.TABLE, 2, tuple(33 * n for n in range(1, 7))),
    ]
    assert [label.op for label in m.labels] == ["TABLE"] * 4 + ["HALT"]


def test_where_a_layer_writes():
    """Its sums to buffer B; groups of 4 of 64 tokens, 2 steps; spikes to row memory."""
    layers = [
        pixel(),
        conv("a", "p", size=1, residual=Residual(output="r")),
        conv("b", "a.s", size=1, residual=Residual(output="s", inputs=("r",))),
        mean("b.s"),
    ]
    m = mapped(network(*layers), OWN)
    wanted = {"flat": 1, "w_mod": 0}
    first = m.written(layers[1], 8)
    spikes = {
        "dest": Dest.ROW,
        "w_base": m.place.base["a.s"],
        "w_t": 1,
        "slots": 2,
        "w_gs": 2,
        "w_j": 1,
        "head_align": 0,
    }
    kept = {"res_gs": 2, "res_j": 32}
    assert first == wanted | spikes | kept | {"res": Res.NONE, "keep": Keep.Y, "res_dest": 1}
    second = m.written(layers[2], 8)
    assert second == wanted | kept | {"res": Res.ADD, "keep": Keep.SPIKE, "res_dest": 0}
    assert m.needs["res_bits"] == 18
    assert m.tensors(layers[1]) == {"tensor": "a.s", "residual": "r"}
    assert m.tensors(layers[2]) == {"tensor": "b.s", "residual": ""}
    summed = mapped(network(*layers))  # by the lanes: no memory holds b.s
    assert summed.written(layers[1], 8) == first
    assert summed.written(layers[2], 8) == second | {"keep": Keep.NONE}
    assert summed.needs["res_bits"] == 18


def test_spikes_alone_need_one_bit():
    layers = pixel(), conv("a", "p", size=1), mean("a.s")
    m = mapped(network(*layers), OWN)
    assert m.written(layers[1], 8)["keep"] == Keep.SPIKE
    assert m.needs["res_bits"] == 1
    summed = mapped(network(*layers))  # by the lanes: nothing is kept
    assert summed.written(layers[1], 8)["keep"] == Keep.NONE
    assert summed.needs["res_bits"] == 1
