"""Modes: early fields stay from setup to setup, late fields pass."""

import pytest

from hw.arch import isa
from hw.arch.formats import STATE_SHIFTS
from hw.arch.isa import Keep, Mod, Op, Res
from hw.core.modes import Modes, Operand
from hw.core.words import instruction_layout
from tests.unit.bench import Bench
from tests.unit.lanes import leak_mode


def insn(op, **fields):
    return sum(w << 32 * n for n, w in enumerate(isa.encode(op, **fields)))


def test_early_fields_are_kept_and_late_ones_pass():
    bench = Bench(Modes(), ["insn", "setup"], ["early", "lane", "write"])
    assert instruction_layout().size == 32 * isa.NI
    one = insn(Op.GEMM, w_gs=7, w_t=3, w_half=9, res_gs=2, st_base=77, w_mod=Mod.PAIR, theta=5)
    two = insn(
        Op.MAC,
        spread=1,
        n_spread=3,
        n_pix=5,
        factor_per_step=1,
        w_gs=8,
        theta=11,
        leak=1,
        dest=6,
    )
    seen = bench.play(
        [{"insn": one, "setup": 1}, {"insn": two}, {"insn": two, "setup": 1}, {"insn": two}]
    )
    early, late = seen[1]["early"], seen[1]
    assert [early[n] for n in ("gemm", "mac", "mean", "pooling")] == [1, 0, 0, 0]
    got = [early[n] for n in ("w_gs", "w_t", "w_half", "res_gs", "st_base", "split")]
    assert got == [7, 3, 9, 2, 77, 1]
    assert (late["lane"]["theta"], late["write"]["gs"]) == (11, 7)
    assert (late["write"]["slow"], late["write"]["mac"], late["write"]["passes"]) == (1, 0, 0)
    early, late = seen[2 + Modes.latency]["early"], seen[2 + Modes.latency]
    assert [early[n] for n in ("gemm", "mac", "n_pix", "passes", "per_step")] == [0, 1, 5, 3, 1]
    write = late["write"]
    assert (write["slow"], write["dest"], write["gs"]) == (1, 6, 8)
    assert (write["mac"], write["n_pix"], write["passes"]) == (1, 5, 3)
    assert seen[0]["lane"]["theta"] == 5


@pytest.mark.parametrize(
    ("op", "fields", "operand"),
    [
        (Op.GEMM, {}, Operand.SUM),
        (Op.GEMM, {"double": 1}, Operand.DOUBLE),
        (Op.MAC, {}, Operand.PIXEL),
        (Op.MEAN, {}, Operand.RESIDUAL),
    ],
)
def test_each_operation_has_its_operand(op, fields, operand):
    bench = Bench(Modes(), ["insn", "setup"], ["lane"])
    seen = bench.play([{"insn": insn(op, **fields), "setup": n} for n in (1, 0, 0)])
    assert seen[2]["lane"]["operand"] == operand  # a register behind early and late fields
    assert seen[1]["lane"]["mac"] == (op == Op.MAC)


def test_what_all_lanes_have_in_common_is_worked_out():
    bench = Bench(Modes(), ["insn", "setup"], ["lane"])

    def lane(**fields):
        return bench.play([{"insn": insn(Op.GEMM, **fields), "setup": 1}, {}])[0]["lane"]

    assert [lane(theta=theta)["fires"] for theta in (0, 1, 1 << 16)] == [0, 1, 1]
    assert [lane(res=int(res))["average"] for res in Res] == [0, 0, 0, 1]
    for field in ("keep", "mean"):
        assert [lane(**{field: int(keep)})["keeps_spike"] for keep in Keep] == [0, 0, 1]
    for shift in range(len(STATE_SHIFTS)):
        told = lane(state_shift=shift)
        assert {name: told[name] for name in leak_mode(shift)} == leak_mode(shift)


def test_each_operation_has_its_flag():
    bench = Bench(Modes(), ["insn", "setup"], ["early"])
    for op, flag in ((Op.GEMM, "gemm"), (Op.MAC, "mac"), (Op.MEAN, "mean"), (Op.POOL, "pooling")):
        early = bench.play([{"insn": insn(op), "setup": 1}, {}])[1]["early"]
        assert [n for n in ("gemm", "mac", "mean", "pooling") if early[n]] == [flag]
