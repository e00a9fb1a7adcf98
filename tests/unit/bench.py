"""A bench for clocked components: port values in, port values out, cycle by cycle."""

import contextlib
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from amaranth.hdl import Cat, Elaboratable, Module, Signal, Value
from amaranth.lib.data import View
from amaranth.sim import Simulator

Row = Mapping[str, Any]


def _parts(port: Any) -> list[Value]:
    return [Value.cast(p) for p in port] if isinstance(port, (list, tuple)) else [Value.cast(port)]


class Bench:
    """Plays stimulus into ``dut`` and records its outputs; each ``play`` starts from reset.

    What is set in cycle n meets the clock edge at the end of cycle n; outputs are those of the
    same cycle, before that edge. So a register shows at n + 1 what was set at n. All ports move at
    once (one assignment), which is also the fast way.
    """

    def __init__(self, dut: Any, inputs: Iterable[str], outputs: Iterable[str]):
        self._in = {n: getattr(dut, n) for n in inputs}
        self._out = {n: getattr(dut, n) for n in outputs}
        self._pins = Cat(*(p for port in self._in.values() for p in _parts(port)))
        self._probes = Cat(*(p for port in self._out.values() for p in _parts(port)))
        m = Module()  # whose clock a combinational component has, too
        m.submodules.dut = dut
        m.d.sync += Signal().eq(1)
        self._sim = Simulator(m)
        self._sim.add_clock(1e-6)
        self._sim.add_testbench(self._run)
        self._fresh = True

    def play(
        self, stimulus: Iterable[Row], react: Callable[[int, Row], Row] | None = None
    ) -> list[dict[str, Any]]:
        """Return the outputs of each cycle.

        Ports that a cycle does not name are 0. ``react(cycle, outputs)`` gives further values for
        the next cycle: a memory of latency 1.
        """
        self._stimulus, self._react, self._seen = list(stimulus), react, []
        if not self._fresh:
            self._sim.reset()
        self._fresh = False
        self._sim.run()
        assert len(self._seen) == len(self._stimulus)
        return self._seen

    async def _run(self, ctx: Any) -> None:
        more: Row = {}
        for cycle, row in enumerate(self._stimulus):
            ctx.set(self._pins, self._encode({**row, **more}))
            self._seen.append(self._decode(ctx.get(self._probes)))
            if self._react:
                more = self._react(cycle, self._seen[-1])
            await ctx.tick()

    def _encode(self, row: Row) -> int:
        unknown = row.keys() - self._in.keys()
        assert not unknown, unknown
        bits, at = 0, 0
        for name, port in self._in.items():
            value = row.get(name, 0)
            parts = _parts(port)
            if isinstance(port, View) and isinstance(value, Mapping):
                value = port.shape().const(value).as_bits()
            values = [value] * len(parts) if isinstance(value, int) else value
            assert len(values) == len(parts), (name, values)
            for part, v in zip(parts, values, strict=True):
                bits |= (int(v) & ((1 << len(part)) - 1)) << at
                at += len(part)
        return bits

    def _decode(self, bits: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        at = 0
        for name, port in self._out.items():
            values: list[Any] = []
            for part in _parts(port):
                v = (bits >> at) & ((1 << len(part)) - 1)
                at += len(part)
                if part.shape().signed and v >> (len(part) - 1):
                    v -= 1 << len(part)
                values.append(v)
            if isinstance(port, (list, tuple)):
                out[name] = values
            elif isinstance(port, View):
                out[name] = port.shape().from_bits(values[0])
            else:
                out[name] = values[0]
        return out


@contextlib.contextmanager
def unbuilt() -> Iterator[None]:
    """Components made in here, and their parts, are not reported as forgotten."""
    silence = "_MustUse__silence"  # of Amaranth; per source file there is a comment for it
    setattr(Elaboratable, silence, True)
    try:
        yield
    finally:
        gc.collect()
        setattr(Elaboratable, silence, False)


def timeline(cycles: int) -> list[dict[str, Any]]:
    """Return an empty stimulus."""
    return [{} for _ in range(cycles)]
