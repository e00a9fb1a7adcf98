"""Faults in the RTL that the benches must notice: ``python -m benchmarks.mutants FOLDER``.

Yosys puts small faults (an inverted, stuck or swapped bit of a cell's port) into one copy of the
core and one of the link behind its UART, all behind one select port, and each copy is compiled
once. A fault is killed where anything that a bench sees differs from the copy without a fault:
for the core every memory write, logits and cycles of whole inferences of random networks, which
without a fault equal the interpreter's; for the link every output pin and port in every cycle of
a recording of frames, whole and damaged. Survivors are printed and written to FOLDER.

The folder keeps what was made and how each fault ended: a command that is stopped goes on.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, link
from hw.arch.link import Command, frame
from hw.common.cli import command
from hw.core.core import Core
from hw.soc.link import LinkEndpoint
from hw.soc.uart import UARTReceiver, UARTTransmitter
from hw.tools.export import export_rtlil, replicated
from hw.tools.yosys import run_yosys
from sim import verilator
from sim.compare import differences
from sim.simulate import commands, frames
from sim.testbench import plusargs, read_results
from sim.verilator import Simulator
from sw.compiler import compile_network
from sw.testing import random_images, random_network, random_residual_network

CONFIG = Config(
    rows=4, cols=8, width=32, col_depth=2048, res_depth=2048, pix_depth=1024, prog_depth=1024
)
FAULTS = {"core": 220, "link": 40}  #: Of each copy.
WANTED = 0.97  #: Of all faults, killed or shown equivalent.
BITS = 9  #: Of the select port.
LIMIT = 120  #: Seconds of a fault's simulation.
DIVISOR = 5  #: Odd: a register that turns in every cycle is not back at the next bit.
_SMALL: dict[str, Any] = {
    "height": 6,
    "width": 7,
    "channels": 2,
    "dim": 24,
    "depth": 1,
    "heads": 3,
    "classes": 5,
}
_SMALL |= {"mlp_ratio": 1, "steps": 3, "similarity": "and"}


def networks() -> Iterator[tuple[str, Any]]:
    """Random networks that together use every instruction and every form of one."""

    def residual(seed: int, **arguments: Any) -> Any:
        return random_residual_network(seed, **arguments)

    yield (
        "residual",
        residual(
            1, height=8, width=7, channels=2, widths=(8, 20), blocks=(1, 1), steps=2, classes=6
        ),
    )
    yield "attention, qk", random_network(2, order="qk", variant="cifar", **_SMALL)
    yield "stream", residual(
        4, height=6, width=6, channels=1, widths=(8, 16), blocks=(1, 1), steps=1, classes=4,
        bits=4, stream=True,
    )  # fmt: skip
    yield (
        "attention, kv",
        random_network(3, order="kv", variant="imagenet", per_step_input=True, **_SMALL),
    )
    yield "averages", residual(
        5, height=9, width=10, channels=3, widths=(8, 16, 24), halve=(1,), pooled=True, steps=3,
        classes=4, bits=2,
    )  # fmt: skip
    yield "strides", residual(
        6, height=9, width=11, channels=1, widths=(8, 40, 16), halve=(1, 2), steps=2, classes=4,
        bits=8, per_step_input=True,
    )  # fmt: skip
    yield "attention, xnor", random_network(
        7, order="qk", variant="cifar",
        **(_SMALL | {"dim": 32, "heads": 1, "channels": 4, "similarity": "xnor"}),
    )  # fmt: skip
    yield "pools", residual(
        8, height=13, width=12, channels=3, widths=(16,), blocks=(1,), stem=7, steps=2, classes=4,
        bits=0,
    )  # fmt: skip


class Wired(wiring.Component):
    """The link between its pins and the core's ports."""

    INPUTS = {"uart_rx": 1, "tick": 1, "busy": 1, "done": 1, "cycles": 32, "peek_data": 18}
    OUTPUTS = {"uart_tx": 1, "start": 1, "load_valid": 1, "load_addr": 32, "load_data": 32}
    OUTPUTS |= {"peek_addr": 16}

    def __init__(self) -> None:
        inputs = {name: In(bits) for name, bits in self.INPUTS.items()}
        super().__init__(inputs | {name: Out(bits) for name, bits in self.OUTPUTS.items()})

    def elaborate(self, platform):
        m, ports = Module(), vars(self)
        m.submodules.rx = rx = UARTReceiver(DIVISOR)
        m.submodules.tx = tx = UARTTransmitter(DIVISOR)
        m.submodules.link = endpoint = LinkEndpoint(CONFIG, clk_freq=50_000_000)
        wiring.connect(m, rx.o, endpoint.i)
        wiring.connect(m, endpoint.o, tx.i)
        m.d.comb += [rx.rx.eq(ports["uart_rx"]), ports["uart_tx"].eq(tx.tx)]
        for name in self.INPUTS:
            if name != "uart_rx":
                m.d.comb += getattr(endpoint, name).eq(ports[name])
        for name in self.OUTPUTS:
            if name != "uart_tx":
                m.d.comb += ports[name].eq(getattr(endpoint, name))
        return m


def link_bench() -> str:
    """Return the module ``tb`` that plays a recording into the link and records its outputs."""
    ins = sum(Wired.INPUTS.values())
    wires = "".join(f".{name}({name}), " for name in (*Wired.INPUTS, *Wired.OUTPUTS))
    wires_in = "".join(f"wire [{bits - 1}:0] {name};\n" for name, bits in Wired.INPUTS.items())
    outs = "".join(f"wire [{bits - 1}:0] {name};\n" for name, bits in Wired.OUTPUTS.items())
    width = sum(Wired.OUTPUTS.values())
    return f"""`timescale 1ns / 1ns
module tb (
    input wire clk /*verilator public_flat_rw*/, output reg finished /*verilator public_flat_rw*/
);
reg [{BITS - 1}:0] mutsel = 0;
reg [{ins - 1}:0] now = 1;
reg rst = 1;
{wires_in}assign {{{", ".join(reversed(Wired.INPUTS))}}} = now;
{outs}wire [{width - 1}:0] seen = {{{", ".join(Wired.OUTPUTS)}}};
reg [{width - 1}:0] earlier = 0;
reg [31:0] cycle = 0;
integer stim, out;
string path;
top top(.clk(clk), .rst(rst), {wires}.mutsel(mutsel));
initial begin
    finished = 0;
    if (!$value$plusargs("mut=%d", mutsel)) mutsel = 0;
    if (!$value$plusargs("stim=%s", path)) $fatal(1, "no stim");
    stim = $fopen(path, "r");
    if (!$value$plusargs("out=%s", path)) $fatal(1, "no out");
    out = $fopen(path, "w");
end
always @(posedge clk) begin
    cycle <= cycle + 1;
    rst <= cycle < 4;
    earlier <= seen;
    if (cycle > 8 && seen !== earlier) $fdisplay(out, "%d %h", cycle, seen);
    if (cycle > 8 && !finished && $fscanf(stim, "%h", now) != 1) begin
        $fclose(out);
        finished <= 1;
    end
end
endmodule
"""


def recording(seed: int = 0) -> list[int]:
    """Return what the link's inputs are in each cycle: frames of every kind, and silence."""
    rng = random.Random(seed)
    rows: list[int] = []
    state = {"busy": 0, "done": 0, "cycles": 0, "peek_data": 0}

    def cycle(line: int, tick: int = 0) -> None:
        state["peek_data"] = rng.getrandbits(18)
        values, word, at = {"uart_rx": line, "tick": tick, **state}, 0, 0
        for name, bits in Wired.INPUTS.items():
            word |= values[name] << at
            at += bits
        rows.append(word)

    def send(data: bytes, tick_at: int = -1, stop: int = 1) -> None:
        for n, byte in enumerate(data):
            for k, level in enumerate([0, *((byte >> b) & 1 for b in range(8)), stop]):
                for c in range(DIVISOR):
                    cycle(level, int(n == tick_at and k == 4 and c == 1))
            for _ in range(rng.choice([0, 0, 0, 1, 2, 7])):
                cycle(1)

    def rest(cycles: int, tick: int = 0) -> None:
        for n in range(cycles):
            cycle(1, int(bool(tick) and n in (3, 3 + tick)))

    def settled(payload: int) -> None:
        rest(10 * DIVISOR * (payload + 8) + 40)

    address = (3 << 20 | 77).to_bytes(4, "little")
    good = [
        frame(Command.IDENTIFY, 1),
        frame(Command.STATUS, 2),
        frame(Command.WRITE, 200, address + bytes(rng.randrange(256) for _ in range(12))),
        frame(Command.WRITE_BYTES, 255, address + bytes(rng.randrange(256) for _ in range(7))),
        frame(Command.WRITE, 3, b"\xff\xff\xff\xff" + bytes(range(248))),
        frame(Command.READ, 4, address + b"\3"),
        frame(Command.START, 5),
        frame(Command.READ, 6, bytes(4) + bytes([link.MAX_WORDS])),
    ]
    bad = [
        frame(0, 7), frame(7, 8), frame(255, 8), frame(Command.START, 9, b"x"),
        frame(Command.WRITE, 10, address), frame(Command.WRITE, 11, address + b"abc"),
        frame(Command.READ, 12, address + b"\0"), frame(Command.READ, 12, address + b"\xff"),
        frame(Command.WRITE_BYTES, 13, address), frame(Command.IDENTIFY, 14, b"y"),
        frame(Command.WRITE, 15, address + bytes(251)),
    ]  # fmt: skip
    rest(50)
    for busy in (0, 1):
        for request in [*good, *bad]:
            state |= {"busy": busy, "done": rng.randrange(2), "cycles": rng.getrandbits(32)}
            send(bytes(rng.choice([b"", b"\x00", b"\xf0"])) + request)
            settled(260 if request in (good[7],) else 64)
    state["busy"] = 0
    for bit in range(16):  # a damaged bit of the CRC each
        request = bytearray(good[1])
        request[-2 + bit // 8] ^= 1 << bit % 8
        send(bytes(request))
        settled(8)
    for kept in range(1, len(good[2]), 3):  # a frame that stops
        send(good[2][:kept])
        rest(60, tick=40)
        settled(8)
        send(good[2], tick_at=kept)
        settled(8)
    for bit in range(8):  # a length and a number of words of each bit alone
        n = 1 << bit
        send(frame(Command.WRITE_BYTES, 20 + bit, (address * 64)[:n]))
        settled(8)
        send(frame(Command.READ, 40 + bit, address + bytes([n])))
        settled(4 * n if n <= link.MAX_WORDS else 8)
        send(frame(Command.WRITE, 60 + bit, (address * 64)[:n]))
        settled(8)
    send(good[1], stop=0)
    settled(30)
    return rows


@dataclass(frozen=True)
class Copy:
    """A design with its faults, compiled: ``faults`` by number, jobs by name."""

    name: str
    program: Path
    faults: dict[int, str]
    jobs: dict[str, Path]


def faulty_verilog(folder: Path, name: str, count: int) -> dict[int, str]:
    """Put ``count`` faults into the RTLIL NAME.il; write NAME.v, return the faults by number."""
    base = ["proc -nomux -norom", "opt_expr", "opt_merge", "opt_clean", "memory_collect"]
    base.append(f"write_rtlil {name}.base.il")
    run_yosys([f"read_rtlil {name}.il", *base], cwd=folder, name=f"{name}.base")
    sizes: dict[str, int] = {}
    kinds: dict[tuple[str, str], str] = {}  # of cells, by module and name
    current = ""
    for line in (folder / f"{name}.base.il").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"module \\(\S+)", line):
            current = found[1]
            sizes[current] = 0
        elif found := re.match(r"  cell (\S+) (\S+)", line):
            kinds[current, found[2].lstrip("\\")] = found[1]
            sizes[current] += found[1].startswith("$")
    alike: dict[str, list[str]] = {}  # of components that are there many times, one is enough
    for module, size in sizes.items():
        if size:
            alike.setdefault(re.sub(r"\$?\d+(_\d+)?", "#", module), []).append(module)
    chosen = {
        group[len(group) // 2]: sizes[group[len(group) // 2]] ** 0.5 for group in alike.values()
    }
    whole, number, listing, files = sum(chosen.values()), 1, [f"read_rtlil {name}.base.il"], []
    for module, weight in sorted(chosen.items()):
        n = max(2, round(count * weight / whole))
        files.append(f"{name}.{len(files)}.faults")
        listing += [
            f"select -module {module}",
            f"mutate -list {n} -seed 11 -ctrl mutsel {BITS} {number} -o {files[-1]}",
            "select -clear",
        ]
        number += n
    assert number < 1 << BITS, "the select port has too few bits"
    run_yosys(listing, cwd=folder, name=f"{name}.list")
    lines = [
        line
        for file in files
        for line in (folder / file).read_text(encoding="utf-8").splitlines()
        if (found := re.search(r"-module (\S+) -cell (\S+)", line))
        # what a memory holds at first is a constant, and no tool takes it for anything else
        and not kinds[found[1].lstrip("\\"), found[2].lstrip("\\")].startswith("$meminit")
    ]
    (folder / f"{name}.all.ys").write_text("\n".join(lines) + "\n", encoding="utf-8")
    apply = [f"read_rtlil {name}.base.il", f"script {name}.all.ys", "opt_clean"]
    run_yosys([*apply, f"write_verilog -sv -norename {name}.v"], cwd=folder, name=f"{name}.apply")
    text = replicated((folder / f"{name}.v").read_text(encoding="utf-8"))
    (folder / f"{name}.v").write_text(text, encoding="utf-8")
    numbered = re.compile(rf"-ctrl mutsel {BITS} (\d+)")
    return {int(numbered.search(line)[1]): line for line in lines}  # pyright: ignore


def core_copy(folder: Path, count: int) -> Copy:
    """Return the core with its faults, and whole inferences to play on it."""
    export_rtlil(Core(CONFIG, trace=True, target="simulation"), folder / "core.il", name="core")
    faults = faulty_verilog(folder, "core", count)
    bench, port = verilator.TESTBENCH.read_text(encoding="utf-8"), "    core core (\n"
    assert port in bench
    select = f"    reg [{BITS - 1}:0] mutsel = 0;\n"
    select += '    initial if (!$value$plusargs("mut=%d", mutsel)) mutsel = 0;\n'
    bench = bench.replace(port, f"{select}{port}        .mutsel(mutsel),\n", 1)
    (folder / "core_tb.sv").write_text(bench, encoding="utf-8")
    design = (folder / "core.v").read_text(encoding="utf-8")
    design += verilator.COUNTONES.read_text(encoding="utf-8")
    sizes = {"R": CONFIG.rows, "C": CONFIG.cols, "W": CONFIG.width}
    built = verilator.compile_bench(design, folder / "core_tb.sv", sizes)
    simulator, jobs = Simulator(built, CONFIG.rows, CONFIG.cols, CONFIG.width), {}
    for name, network in networks():
        program = compile_network(network, CONFIG)
        images = frames(program, random_images(network, 3 if network.stream else 2, 1))
        jobs[name] = folder / "jobs" / re.sub(r"\W+", "_", name)
        jobs[name].mkdir(parents=True, exist_ok=True)
        commands(program, images).write(jobs[name])
        seen(simulator.free, jobs[name], jobs[name], 0)
        outcome = read_results(simulator, jobs[name])
        wrong = list(differences(program, images, outcome, outcome.writes()))
        assert not wrong, f"{name}: {wrong[0]}"
    return Copy("core", simulator.free, faults, jobs)


def link_copy(folder: Path, count: int) -> Copy:
    """Return the link with its faults, and a recording to play to it."""
    export_rtlil(Wired(), folder / "link.il", name="top")
    faults = faulty_verilog(folder, "link", count)
    (folder / "link_tb.sv").write_text(link_bench(), encoding="utf-8")
    design = (folder / "link.v").read_text(encoding="utf-8")
    built = verilator.compile_bench(design, folder / "link_tb.sv")
    job = folder / "jobs" / "link"
    job.mkdir(parents=True, exist_ok=True)
    text = "\n".join(f"{row:x}" for row in recording())
    (job / "commands").write_text(text + "\n", encoding="utf-8")
    return Copy("link", built / "free", faults, {"recording": job})


def seen(program: Path, job: Path, folder: Path, fault: int) -> str:
    """Play a job on a copy with a fault; return a digest of all that it shows, or how it failed."""
    arguments = [f"+stim={job / 'commands'}", *plusargs(folder, log=True)[1:], f"+mut={fault}"]
    try:
        done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "no end"
    if done.returncode:
        return f"ended with {done.returncode}"
    digest = hashlib.sha256()
    for path in [*sorted(folder.glob("log.*")), folder / "results"]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def killer(copy: Copy, folder: Path, fault: int, expected: dict[str, str]) -> str:
    """Return the job that notices a fault, or nothing."""
    own = folder / "runs" / f"{copy.name}_{fault}"
    own.mkdir(parents=True, exist_ok=True)
    try:
        for name, job in copy.jobs.items():
            if seen(copy.program, job, own, fault) != expected[name]:
                return name
        return ""
    finally:
        for path in own.iterdir():
            path.unlink()
        own.rmdir()


def measured(copy: Copy, folder: Path, limit: int | None, workers: int) -> dict[int, str]:
    """Return which job kills each fault, "" for none; what is known is not played again."""
    path = folder / f"{copy.name}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known = {int(k): v for k, v in known.items() if v["fault"] == copy.faults.get(int(k))}
    expected = {name: seen(copy.program, job, job, 0) for name, job in copy.jobs.items()}
    left = [n for n in copy.faults if n not in known]
    random.Random(1).shuffle(left)
    left = left[: max(0, limit - len(known))] if limit else left
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(killer, copy, folder, n, expected): n for n in left}
        for done in concurrent.futures.as_completed(running):
            n = running[done]
            known[n] = {"fault": copy.faults[n], "killer": done.result()}
            path.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return {n: v["killer"] for n, v in known.items()}


@command()
def main(argv: list[str] | None = None) -> int:
    """Print figures and survivors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("folder", type=Path, help="what is made and found is kept here")
    parser.add_argument("--of", choices=[*FAULTS], help="one of the two copies (both)")
    parser.add_argument("--limit", type=int, help="faults of a copy that are played (all)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="(%(default)s)")
    args = parser.parse_args(argv)
    folder = args.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    total = killed = 0
    for name, make in (("core", core_copy), ("link", link_copy)):
        if args.of in (None, name):
            copy = make(folder, FAULTS[name])
            found = measured(copy, folder, args.limit, args.workers)
            for n in sorted(n for n, by in found.items() if not by):
                print(f"  survives: {copy.faults[n]}")
            alive = sum(not by for by in found.values())
            print(f"{name}: {len(found) - alive} of {len(found)} killed", flush=True)
            total, killed = total + len(found), killed + len(found) - alive
    mark = "PASS" if killed >= WANTED * total else "MISS"
    print(f"{killed} of {total} killed, {100 * killed / total:.1f} %  {mark} ({WANTED:.0%} wanted)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
