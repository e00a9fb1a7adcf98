"""The core with its faults, and whole inferences to play on it."""

import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from amaranth import Cat, Const, Module
from amaranth.lib import wiring
from tqdm import tqdm

from benchmarks.mutation.copies import Copy, seen
from benchmarks.mutation.faults import BITS, Fault, faults, faulty_verilog, flat
from benchmarks.mutation.networks import corners, few, wide
from benchmarks.mutation.played import CONFIG
from benchmarks.mutation.reasons import PREMISES
from hw.arch import Config, SpikeloomError, timing
from hw.arch.memmap import Mem, load_addr
from hw.core.core import Core
from hw.core.words import ADDR
from hw.tools.export import export_rtlil
from sim import verilator
from sim.compare import differences
from sim.simulate import commands, frames
from sim.testbench import Commands, SimulationError, read_log, read_results
from sim.verilator import Simulator
from sw.compiler import compile_network
from sw.testing import random_images

MOST = 15_000  #: Cycles of an inference that is played.


class Traced(wiring.Component):
    """A core whose traced addresses have the bits that its memories have, and no more.

    The bits above reach nothing in the core but the trace.
    """

    def __init__(self, config: Config):
        self.config = config
        self.core = Core(config, trace=True, target="simulation")
        super().__init__(dict(self.core.signature.members))

    def elaborate(self, platform):
        m, cfg = Module(), self.config
        m.submodules.core = self.core
        depths = {"row": cfg.row_depth, "col": cfg.col_depth, "pix": cfg.pix_depth}
        for name, member in self.core.signature.members.items():
            outer, inner = getattr(self, name), getattr(self.core, name)
            if member.flow is wiring.In:
                m.d.comb += inner.eq(outer)
            elif kind := re.fullmatch(r"t_(\w+)_addr", name):
                bits = (depths.get(kind[1], cfg.res_depth) - 1).bit_length()
                words = [inner[at : at + ADDR] for at in range(0, len(inner), ADDR)]
                m.d.comb += outer.eq(Cat(Cat(w[:bits], Const(0, ADDR - bits)) for w in words))
            else:
                m.d.comb += outer.eq(inner)
        return m


def shown(folder: Path, simulator: Simulator) -> bytes:
    """Return what a job shows: results, and every write, of its bytes those that are enabled."""
    try:
        writes = read_log(folder, simulator)
    except SimulationError as error:
        return str(error).encode()
    return (folder / "results").read_bytes() + writes.tobytes()


def design(folder: Path, name: str, chosen: list[Fault]) -> str:
    """Return the Verilog of the core with faults, its popcounts included."""
    text = faulty_verilog(folder, name, chosen)
    return text + verilator.COUNTONES.read_text(encoding="utf-8")


def core_copy(folder: Path, count: int) -> Copy:
    """Return the core with its faults, and whole inferences to play on it."""
    export_rtlil(Traced(CONFIG), folder / "core.il", name="core")
    flat(folder, "core")
    chosen = faults(folder, "core", count)
    verilog = design(folder, "core", chosen)
    bench, port = verilator.TESTBENCH.read_text(encoding="utf-8"), "    core core (\n"
    assert port in bench
    select = f"    reg [{BITS - 1}:0] mutsel = 0;\n"
    select += '    initial if (!$value$plusargs("mut=%d", mutsel)) mutsel = 0;\n'
    bench = bench.replace(port, f"{select}{port}        .mutsel(mutsel),\n", 1)
    (folder / "core_tb.sv").write_text(bench, encoding="utf-8")
    sizes = {"R": CONFIG.rows, "C": CONFIG.cols, "W": CONFIG.width}
    built = verilator.compile_bench(verilog, folder / "core_tb.sv", sizes)
    simulator = Simulator(built, CONFIG.rows, CONFIG.cols, CONFIG.width)
    networks = list(few())
    first = jobs(folder, simulator, networks)
    first |= {"from outside": from_outside(folder, simulator, networks[0][1])}
    return Copy(
        "core",
        simulator.free,
        chosen,
        first,
        lambda: _more(folder, simulator),
        verilog,
        lambda job: shown(job, simulator),
        PREMISES,
    )


def from_outside(folder: Path, simulator: Simulator, network: Any) -> Path:
    """Write the commands of what needs no second program: stops, the log, peeks everywhere."""
    program, rng = compile_network(network, CONFIG), random.Random(5)
    image = frames(program, random_images(network, 1, 1))[0]
    out, budget, cycles = Commands(), 4 * MOST, program.cycles
    out.load(program.load_stream(image))
    stops = [(0, 0), (cycles // 3, 0), (0, cycles // 2), (cycles - 2, 0), (0, 2), (0, 0)]
    for run, (limit, abort) in enumerate(stops):
        out.load(program.image_stream(image))
        out.limit(limit)
        out.start(run, budget, abort)
        out.log(len(program.labels))
        out.peek(range(program.logits_base, program.logits_base + program.classes))
    banks = {Mem.PROG: 1, Mem.COL: CONFIG.cols, Mem.ROW: CONFIG.rows, Mem.PIX: 1}
    depths = {Mem.PROG: CONFIG.prog_depth, Mem.COL: CONFIG.col_depth}
    depths |= {Mem.ROW: CONFIG.row_depth, Mem.PIX: CONFIG.pix_depth}
    places = [
        load_addr(memory, word, bank)
        for memory, count in banks.items()
        for bank in range(count)
        for word in (0, 0x155 % depths[memory], depths[memory] - 1)
    ]
    for _ in range(3):
        words = [(place, rng.getrandbits(32)) for place in places]
        out.load(np.array(words, np.uint32))
        out.look(rng.sample(places, len(places)), timing.peek_cycles(CONFIG))
    left = [load_addr(Mem.RES, word, bank) for bank in range(2 * CONFIG.cols) for word in range(9)]
    out.look(rng.sample(left, len(left)), timing.peek_cycles(CONFIG))
    job = folder / "jobs" / "from_outside"
    job.mkdir(parents=True, exist_ok=True)
    out.write(job)
    ran = seen(simulator.free, job, job, 0, lambda at: shown(at, simulator))
    runs = read_results(simulator, job).runs
    assert [r.stopped > 0 for r in runs] == [bool(sum(stop)) for stop in stops], ran
    assert runs[0].words[: program.classes] == runs[-1].words[: program.classes]
    return job


def _more(folder: Path, simulator: Simulator) -> dict[str, Path]:
    return jobs(folder, simulator, [*corners(), *wide()])


def jobs(
    folder: Path, simulator: Simulator, networks: Iterable[tuple[str, Any]]
) -> dict[str, Path]:
    """Write the inferences' commands; without a fault each equals the interpreter's."""
    out: dict[str, Path] = {}
    for name, network in tqdm(list(networks), desc="inferences", disable=None):
        try:
            program = compile_network(network, CONFIG)
        except SpikeloomError:
            continue  # it does not fit
        if program.run_cycles(0) > MOST:
            continue
        job = folder / "jobs" / re.sub(r"\W+", "_", name)
        job.mkdir(parents=True, exist_ok=True)
        images = frames(program, random_images(network, 3 if network.stream else 2, 1))
        commands(program, images).write(job)
        seen(simulator.free, job, job, 0, lambda at: shown(at, simulator))
        outcome = read_results(simulator, job)
        wrong = list(differences(program, images, outcome, outcome.writes()))
        assert not wrong, f"{name}: {wrong[0]}"
        for premise in PREMISES:
            assert premise.holds(program.instructions()), f"{name}: {premise} is wrong"
        out[name] = job
    return out
