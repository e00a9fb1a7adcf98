"""Nets of the Q-SNN family: strides, shortcuts, projections, stored membranes, streams."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.cycles import resnet19
from hw.arch import SpikeloomError, timing
from hw.arch.config import Config
from hw.arch.formats import STATE_BITS, STATE_MAX
from hw.arch.isa import NI, Keep, Op, Res
from sim.interpreter import Machine, interpret, locate, recover
from sw.compiler import Program, compile_network, fit_config, required
from sw.compiler.__main__ import main
from sw.compiler.report import membranes, report
from sw.network import State
from sw.testing import random_images, random_network, random_residual_network
from tests.networks import EDGES

CONFIGS = {
    "R4C16W32": Config(),
    "R8C16W32": Config(rows=8),
    "R4C8W32": Config(cols=8),
    "R8C8W64": Config(rows=8, cols=8, width=64),
    "R16C32W64": Config(rows=16, cols=32, width=64),
    "R16C16W32": Config(rows=16),
    "R8C64W128": Config(rows=8, cols=64, width=128),
}
RESNET = {
    "height": 12,
    "width": 11,
    "channels": 1,
    "widths": (8, 20),
    "blocks": (2, 1),
    "steps": 2,
    "classes": 10,
}
VGG = {
    "height": 13,
    "width": 10,
    "channels": 2,
    "widths": (8, 12, 20),
    "halve": (1, 2),
    "steps": 3,
    "classes": 4,
}
STREAM = {"steps": 1, "stream": True}
#: Of EDGES: a tile of 6 words at the lower edge, behind one of 9, would follow it too closely if
#: its last word did not wait: two steps of membranes take 10 cycles.
CLOSE = ("pools of 2", "pools of 2, odd", "a column")


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("bits", [0, 2, 4, 8])
@pytest.mark.parametrize(
    "net",
    [
        RESNET,
        RESNET | {"stem": 7, "height": 21},
        VGG,
        VGG | {"pooled": True},
        VGG | {"flatten": False, "halve": (2,)},
        RESNET | {"flatten": True, "per_step_input": True},
    ],
    ids=["resnet", "stem7", "vgg_stride", "vgg_pool", "vgg_mean", "resnet_flatten"],
)
def test_resident_equals_golden(net, bits, config, check):
    net = random_residual_network(1, bits=bits, **net)
    check(net, config, random_images(net, 2))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("bits", STATE_BITS)
@pytest.mark.parametrize(
    "net", [RESNET, VGG, VGG | {"pooled": True}], ids=["resnet", "vgg_stride", "vgg_pool"]
)
def test_stream_equals_golden(net, bits, config, check):
    net = random_residual_network(2, bits=bits, **net | STREAM)
    check(net, config, random_images(net, 4))


@st.composite
def networks(draw):
    plain, stream = draw(st.booleans()), draw(st.booleans())
    widths = tuple(draw(st.lists(st.integers(1, 40), min_size=1, max_size=3)))
    side, count = st.integers(4, 19), len(widths)
    out = {
        "seed": draw(st.integers(0, 10**6)),
        "height": draw(side),
        "width": draw(side),
        "channels": draw(st.integers(1, 3)),
        "widths": widths,
        "bits": draw(st.sampled_from([None, *STATE_BITS] if stream else [None, 0, *STATE_BITS])),
        "steps": 1 if stream else draw(st.integers(1, 4)),
        "classes": draw(st.sampled_from([2, 10, 19])),
        "flatten": draw(st.sampled_from([None, None, True, False])),
        "per_step_input": not stream and draw(st.booleans()),
        "stream": stream,
    }
    if plain:
        halve = [n for n in range(1, count) if draw(st.booleans())]
        return out | {"halve": tuple(halve), "pooled": draw(st.booleans())}
    return out | {
        "blocks": tuple(draw(st.integers(1, 2)) for _ in widths),
        "stem": draw(st.sampled_from([3, 7])),
    }


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(arguments=networks(), config=st.sampled_from(list(CONFIGS.values())))
def test_random_network_equals_golden(arguments, config, check):
    net = random_residual_network(**arguments)
    check(net, config, random_images(net, 3 if net.stream else 2, arguments["seed"]))


@pytest.mark.parametrize("net", [RESNET, VGG | {"pooled": True}], ids=["resnet", "vgg"])
@pytest.mark.parametrize("config", list(CONFIGS.values())[:5], ids=list(CONFIGS)[:5])
@pytest.mark.parametrize("per_step_input", [False, True], ids=["image", "frames"])
def test_both_schedules_give_the_same_spikes(net, per_step_input, config):
    """Time innermost: all steps in a run. Time outermost: a run for each, membranes in memory."""
    net = random_residual_network(4, **net | {"steps": 4, "per_step_input": per_step_input})
    image = random_images(net, 1)
    config = dataclasses.replace(config, means=0)  # all spikes are in a memory
    inner = compile_network(net, fit_config(net, config))
    steps = net.replace(steps=1, stream=True, per_step_input=False)
    outer = compile_network(steps, fit_config(steps, config))
    (run,) = interpret(inner, image)
    wanted = recover(inner, run.events)
    frames = image[0] if per_step_input else np.repeat(image, net.steps, axis=0)
    names = [layer.neuron.name for layer in net.layers if getattr(layer, "neuron", None)]
    for t, run in enumerate(interpret(outer, frames)):
        got = recover(outer, run.events)
        for name in names:
            np.testing.assert_array_equal(got[name][0], wanted[name][t], err_msg=f"{name}, {t}")


@pytest.mark.parametrize("net", [RESNET, VGG, VGG | {"pooled": True}, RESNET | STREAM])
@pytest.mark.parametrize("config", list(CONFIGS.values())[:4], ids=list(CONFIGS)[:4])
def test_result_does_not_depend_on_old_memory(net, config):
    net = random_residual_network(5, **net)
    program = compile_network(net, fit_config(net, config))
    machine, rng = Machine(program), np.random.default_rng(0)
    used = program.columns.shape[1]
    machine.row[:] = rng.integers(0, 256, machine.row.shape)
    machine.col[:, used:] = rng.integers(0, 256, machine.col[:, used:].shape)
    machine.res[:] = rng.integers(-(1 << 17), 1 << 17, machine.res.shape)
    machine.pix[:] = rng.integers(-(1 << 17), 1 << 17, machine.pix.shape)
    machine.table[:] = rng.integers(0, 32, machine.table.shape)
    images = random_images(net, 3)
    wanted = net.run(images).logits
    for _ in range(2):
        machine.restart()
        for image, logits in zip(images, wanted, strict=True):
            np.testing.assert_array_equal(machine.run(image, events=False).logits, logits)


def test_a_stream_goes_on_from_run_to_run():
    net = random_residual_network(2, **RESNET | STREAM)
    machine = Machine(compile_network(net, fit_config(net, Config())))
    image = random_images(net, 1)[0]
    first, second = (machine.run(image, events=False).logits for _ in range(2))
    assert (first != second).any()
    machine.restart()
    np.testing.assert_array_equal(machine.run(image, events=False).logits, first)


@pytest.mark.parametrize("bits", STATE_BITS)
@pytest.mark.parametrize("config", list(CONFIGS.values())[:5], ids=list(CONFIGS)[:5])
def test_codes_are_written_where_and_when_documented(bits, config):
    net = random_residual_network(6, bits=bits, **RESNET | STREAM)
    program = compile_network(net, fit_config(net, config))
    c, images = program.config, random_images(net, 2)
    machine = Machine(program)
    machine.run(images[0])
    events = machine.run(images[1]).events.mem
    code = program.instructions()
    assert len(events)
    keys = np.stack([events["cycle"], events["lane"].astype(np.int64)], axis=1)
    assert len(np.unique(keys, axis=0)) == len(events), "two writes on one port"
    assert (np.diff(events["cycle"]) >= 0).all()
    for n, i in enumerate(code):
        mine = events[events["instruction"] == n]
        assert len(mine) == (
            0 if not i.persist else c.cols * i.n_j * np.prod(program.labels[n].shape[1:])
        )
        if not i.persist:
            continue
        assert locate(program, "mem", mine[0]).tensor == program.labels[n].tensor
        region = next(
            r for r in program.regions if r.name == f"membranes of {program.labels[n].tensor} (A)"
        )
        assert region.base <= mine["addr"].min()
        assert mine["addr"].max() < region.base + region.size
        assert mine["addr"].min() == i.st_base * c.rows * bits // 16 == region.base
        # the last write of a byte is what memory holds
        last = dict(
            zip(
                zip(*(mine[f].tolist() for f in ("lane", "addr", "half")), strict=True),
                mine["value"].tolist(),
                strict=True,
            )
        )
        for (lane, addr, half), value in last.items():
            assert (int(machine.res[0, lane, addr]) & 0x3FFFF) >> (9 * half) & 0x1FF == value
    regions = [r for r in program.regions if r.name.startswith("membranes of")]
    for a, b in itertools.pairwise(regions):
        assert a.base + a.size <= b.base


@pytest.mark.parametrize("prefetch", [1, 0])
@pytest.mark.parametrize("name", EDGES)
def test_small_images(check, name, prefetch):
    """Rows outside the image have no words: cycles and every tensor, forecast and golden model."""
    net = random_residual_network(3, **EDGES[name])
    program = check(net, Config(prefetch=prefetch), random_images(net, 2))
    mac = next(i for i in program.instructions() if i.op == Op.MAC)
    assert mac.clip
    if name in CLOSE:
        last = mac.n_y - 1
        short, long = (timing.tile_words(mac, y) for y in (last, last - 1))
        assert short < long < mac.tile_min
    for i in program.instructions():
        rows = [range(i.first_dy(y), i.end_dy(y)) for y in range(i.n_y)]
        assert all(len(row) > 0 for row in rows if i.op in (Op.GEMM, Op.MAC, Op.POOL))
        for y, row in enumerate(rows if i.op == Op.MAC and i.clip else ()):
            inside = [0 <= (y << i.y_twice) + dy - i.pad_y < i.img_h for dy in range(i.n_dy)]
            assert [dy in row for dy in range(i.n_dy)] == inside


def test_the_only_table_is_loaded_once():
    """Before everything, though a layer without one comes first; kept by the runs behind it."""
    net = random_residual_network(7, bits=8, **RESNET)
    names = [layer.name for layer in net.layers if getattr(layer, "neuron", None)]
    layers = []
    for layer in net.layers:
        if layer.name == names[0]:
            neuron = dataclasses.replace(layer.neuron, state=None)
            layer = dataclasses.replace(layer, neuron=neuron)
        layers.append(layer)
    program = compile_network(net.replace(layers=tuple(layers)), fit_config(net, Config()))
    code = program.instructions()
    assert [n for n, i in enumerate(code) if i.op == Op.TABLE] == [0]
    assert code[0].once == 1
    assert program.labels[0].op == "TABLE"
    assert not code[1].leak
    assert any(i.leak for i in code)
    table = timing.overhead(program.config, code[0])
    assert program.first_cycles == program.cycles + table
    assert next(f.cycles for f in program.forecast) == 0
    machine = Machine(program)
    images = random_images(net, 1)
    first, second = (machine.run(images[0]) for _ in range(2))
    assert (first.cycles, second.cycles) == (program.first_cycles, program.cycles)
    assert second.instruction_cycles == tuple(f.cycles for f in program.forecast)
    assert first.logits.tolist() == second.logits.tolist()
    machine.restart()
    assert machine.run(images[0]).cycles == program.first_cycles


def test_cycles_of_codes_and_steps():
    """Worked out by hand for the first layer and the second."""
    net = random_residual_network(6, bits=8, **RESNET | STREAM)
    program = compile_network(net, fit_config(net, Config()))
    run = next(interpret(program, random_images(net, 1)))
    code = program.instructions()
    at = next(n for n, i in enumerate(code) if i.op == Op.GEMM)
    table, first, second = *code[:2], code[at]
    assert table.op == Op.TABLE
    start = timing.START + timing.overhead(program.config, table)
    tau = start + first.n_par + 6 - 1  # two rows of three taps are in the image
    mem = run.events.mem[run.events.mem["instruction"] == 1]
    assert mem["cycle"].min() == tau + timing.CODE_WRITE
    tile = mem[(mem["token"] == 5) & (mem["lane"] == 3)]
    assert tile["cycle"].tolist() == [tau + 6 + timing.CODE_WRITE + 1 + 3]  # second tile, row, lane
    between = [timing.issue_cycles(i) + timing.overhead(program.config, i) for i in code[1:at]]
    start += sum(between)
    tau = start + second.n_par + timing.tile_words(second, 0) - 1
    mem = run.events.mem[run.events.mem["instruction"] == at]
    tile = mem[(mem["token"] == 2) & (mem["lane"] == 3)]
    assert tile["cycle"].tolist() == [tau + timing.CODE_WRITE + 2 + 3]

    net = random_residual_network(6, bits=8, **RESNET | {"steps": 3})
    program = compile_network(net, fit_config(net, Config()))
    run = next(interpret(program, random_images(net, 1)))
    first = program.instructions()[1]
    assert first.tile_min == 3 * timing.STATE_GAP
    tau = timing.START + timing.overhead(program.config, table) + first.n_par + 6 - 1
    assert first.clip == 1  # though 15 cycles lie between tiles
    row = run.events.row[run.events.row["instruction"] == 1]
    for step in range(3):
        mine = row[(row["token"] == 0) & (row["step"] == step)]
        cycle = tau + timing.write_cycle(program.config) + step * timing.STATE_GAP
        assert set(mine["cycle"].tolist()) == {cycle}


def test_tables_are_loaded_where_they_differ():
    """Once before the first layer, then whenever thresholds or the size of cells change."""
    net = random_residual_network(3, bits=4, **RESNET)
    states = [layer.neuron.state for layer in net.layers if getattr(layer, "neuron", None)]
    out = STATE_MAX + 1
    other = dataclasses.replace(states[0], thresholds=np.r_[33 * np.arange(1, 7), out], shift=11)
    wide = dataclasses.replace(other, bits=8, thresholds=5 * np.arange(1, 128), shift=1)
    chosen = itertools.cycle([states[0], states[0], other, wide, wide])
    layers = []
    for layer in net.layers:
        if getattr(layer, "neuron", None):
            neuron = dataclasses.replace(layer.neuron, state=next(chosen))
            layer = dataclasses.replace(layer, neuron=neuron)
        layers.append(layer)
    net = net.replace(layers=tuple(layers))
    program = compile_network(net, fit_config(net, Config()))
    tables = [i.table for i in program.instructions() if i.op == Op.TABLE]
    neurons = [s for s, _ in zip(itertools.cycle([0, 0, 1, 2, 2]), states, strict=False)]
    changes = 1 + sum(a != b for a, b in itertools.pairwise(neurons))
    assert len(tables) == changes
    assert tables[1] == tuple(33 * n for n in range(1, 7))
    assert tables[2] == tuple(5 * n for n in range(1, 128))
    assert not any(i.once for i in program.instructions())
    assert program.first_cycles == program.cycles
    images = random_images(net, 1)
    run = next(interpret(program, images))
    np.testing.assert_array_equal(run.logits, net.run(images).logits[0])


def test_nothing_is_kept_that_nobody_reads():
    net = random_residual_network(3, **RESNET)
    kept = {}
    for means in (0, 1):
        program = compile_network(net, fit_config(net, Config(means=means)))
        kept[means] = {
            label.layer: (i.res, i.keep, i.res_dest)
            for i, label in zip(program.instructions(), program.labels, strict=True)
            if i.op == Op.GEMM
        }
    assert kept[0] == {
        "layer1.0.conv1": (Res.NONE, Keep.NONE, 0),
        "layer1.0.conv2": (Res.SPIKE, Keep.NONE, 0),
        "layer1.1.conv1": (Res.NONE, Keep.NONE, 0),
        "layer1.1.conv2": (Res.SPIKE, Keep.NONE, 0),
        "layer2.0.conv1": (Res.NONE, Keep.NONE, 0),
        "layer2.0.downsample.layer.module": (Res.NONE, Keep.Y, 1),
        "layer2.0.conv2": (Res.ADD, Keep.SPIKE, 0),
    }
    summed = {"layer2.0.conv2": (Res.ADD, Keep.NONE, 0)}  # by the lanes, on the way
    assert kept[1] == kept[0] | summed


@pytest.mark.parametrize("config", list(CONFIGS.values())[:4], ids=list(CONFIGS)[:4])
@pytest.mark.parametrize("schedule", [{"steps": 3}, STREAM], ids=["resident", "stream"])
def test_projections_that_do_not_fit_as_a_whole(schedule, config, check):
    """They are made and added some column tiles at a time."""
    net = random_residual_network(
        7, bits=2, **RESNET | {"widths": (8, 140), "blocks": (1, 2), **schedule}
    )
    config = dataclasses.replace(config, res_depth=64)
    needs, unit = required(net, config)["res_depth"], config.width // config.cols
    program = check(net, config, random_images(net, 3))
    pieces = [
        label
        for label in program.labels
        if label.layer in ("layer2.0.downsample.layer.module", "layer2.0.conv2")
    ]
    assert [label.first for label in pieces[::2]] == [label.first for label in pieces[1::2]]
    assert len(pieces) >= 4
    firsts = {label.first // config.cols for label in pieces}
    assert all(n % unit == 0 for n in firsts)
    wide = dataclasses.replace(config, res_depth=4096)
    whole = check(net, wide, random_images(net, 3))
    assert not any(label.first for label in whole.labels)
    assert required(net, wide)["res_depth"] > needs or net.stream
    assert whole.total_ops == program.total_ops
    assert whole.cycles < program.cycles < 1.5 * whole.cycles
    assert membranes(whole) == membranes(program)


@pytest.mark.parametrize(
    "net",
    [
        RESNET | {"widths": (8, 40), "blocks": (1, 1), "steps": 4},
        RESNET | {"widths": (40,), "blocks": (2,), "flatten": True},
        VGG | {"widths": (8, 70), "halve": (1,), "flatten": False},
        VGG | {"widths": (8, 70), "halve": (1,), "pooled": True},
    ],
    ids=["projection_and_mean", "shortcut_and_features", "mean", "features"],
)
def test_spikes_that_are_not_kept_as_a_whole(net, check):
    """A layer and the mean of its spikes run some column tiles at a time."""
    net = random_residual_network(8, bits=4, **net)
    config = Config(res_depth=64, means=0)
    program = check(net, config, random_images(net, 2))
    firsts = {}
    for label in program.labels:
        firsts.setdefault(label.layer, []).append(label.first)
    mean, last = net.layers[-2].name, net.layers[-3].name
    assert len(firsts[mean]) > 1
    assert [f for f in firsts[last] if f] == firsts[mean][1:]
    wide = Config(res_depth=4096, means=0)
    whole = check(net, wide, random_images(net, 1))
    assert not any(label.first for label in whole.labels)
    assert required(net, wide)["res_depth"] > required(net, config)["res_depth"]


def test_misfit_of_a_projection_names_the_depth():
    net = random_residual_network(
        7,
        bits=4,
        **RESNET | {"widths": (8, 40), "blocks": (1, 2), "height": 30, "width": 30, "steps": 8},
    )
    config = fit_config(net, Config(res_depth=64))
    with pytest.raises(SpikeloomError, match=rf"res_depth >= {config.res_depth} would make it fit"):
        compile_network(net, dataclasses.replace(config, res_depth=config.res_depth - 1))


@pytest.mark.parametrize("bits", STATE_BITS)
def test_report_of_membranes(bits):
    net = random_residual_network(6, bits=bits, **RESNET | STREAM)
    program = compile_network(net, fit_config(net, Config()))
    found = membranes(program)
    neurons = 3 * 8 * 12 * 11 + 2 * 8 * 12 * 11 + 2 * 20 * 6 * 6
    assert (found.count, found.bits, found.in_memory) == (neurons, (bits,), True)
    regions = [r for r in program.regions if r.name.startswith("membranes of")]
    assert found.words[bits] == sum(r.size for r in regions)
    assert found.words[18] == 2 * found.words[8] >= 4 * found.words[4] >= 8 * found.words[2]
    assert found.total(18) == 18 * neurons
    text = report(program)
    assert f"{neurons} membranes of {bits} bits in residual buffer A" in text
    line = next(line for line in text.splitlines() if "as compiled" in line)
    assert line.split() == [
        str(bits),
        "bits,",
        "as",
        "compiled",
        str(neurons * bits),
        str(found.words[bits]),
    ]
    net = random_residual_network(6, bits=bits, **RESNET)
    program = compile_network(net, fit_config(net, Config()))
    assert not membranes(program).in_memory
    assert (
        f"{neurons} membranes of {bits} bits, 4 x 16 at a time in the lanes, none in memory "
        f"(there they would take {2 * neurons} bits at 2, "
    ) in report(program)


def test_disassembly_tells_strides_membranes_and_shortcuts():
    net = random_residual_network(6, bits=4, **RESNET | STREAM)
    program = compile_network(net, fit_config(net, Config(means=0)))
    text = program.disassemble()
    for part in (
        "TABLE",
        "thresholds ",
        "taps=STRIDE",
        "y_twice",
        "odd_w",
        "per PAIR",
        "odd columns+",
        "shortcut @",
        "a spike adds",
        "membranes of 4 bits <<",
        "in memory from group",
        "res ADD, SPIKE kept in B",
        "Y kept in B",
    ):
        assert part in text, part
    first = next(line for line in text.splitlines() if "MAC" in line)
    assert first.split()[0] == str(NI + len(program.instructions()[0].table))
    text = compile_network(net, fit_config(net, Config())).disassemble()
    assert "SPIKE kept in B" not in text
    assert "mean of SPIKE @0x0000" in text
    net = random_residual_network(6, **VGG | {"pooled": True})
    assert "taps=POOL" in compile_network(net, fit_config(net, Config())).disassemble()


def test_a_stream_program_is_saved_as_one(tmp_path):
    net = random_residual_network(6, bits=4, **RESNET | STREAM)
    program = compile_network(net, fit_config(net, Config()))
    program.save(tmp_path / "a.npz")
    again = Program.load(tmp_path / "a.npz")
    assert again.stream
    assert again.labels == program.labels
    images = random_images(net, 2)
    logits = [run.logits for run in interpret(again, images)]
    np.testing.assert_array_equal(logits, net.run(images).logits)


def test_published_resnet19_compiles():
    net = resnet19()
    program = compile_network(net, fit_config(net, Config(rows=8)))
    convolutions = [layer for layer in net.layers if hasattr(layer, "weight")][1:-1]
    by_hand = 0
    for layer, side in zip(convolutions, [32] * 6 + [16] * 7 + [8] * 5, strict=True):
        taps = {(3, 1): 3 * side - 2, (3, 2): 3 * side - 1, (1, 2): side}  # inside the image
        size = layer.weight.shape[-1]
        by_hand += layer.weight.size // size**2 * taps[size, layer.stride] ** 2 * 2
    assert program.total_ops == by_hand
    assert program.share > 0.6


@pytest.mark.parametrize("order", ["qk", "kv"])
def test_stored_membranes_under_attention(order, small, check):
    """All neurons but the map's, which resets by subtraction."""
    net = random_network(3, **small | {"order": order, "steps": 3})
    layers = []
    for n, layer in enumerate(net.layers):
        neuron = getattr(layer, "neuron", None)
        if neuron is not None and not neuron.soft:
            levels = (1, 7, 127)[n % 3]
            state = State(
                bits=STATE_BITS[n % 3],
                shift=(8, 8, 4)[n % 3],
                thresholds=33 * np.arange(1, levels + 1),
            )
            layer = dataclasses.replace(layer, neuron=dataclasses.replace(neuron, state=state))
        layers.append(layer)
    net = net.replace(layers=tuple(layers))
    for config in (Config(), Config(rows=8), Config(rows=16, cols=32, width=64)):
        check(net, config, random_images(net, 2))


def test_command_line_of_a_stream(tmp_path, capsys):
    net = random_residual_network(6, bits=4, **RESNET | STREAM)
    net.save(tmp_path / "stream.npz")
    assert (
        main(
            [
                str(tmp_path / "stream.npz"),
                "--stream",
                "--fit",
                "--output",
                str(tmp_path / "program.npz"),
            ]
        )
        == 0
    )
    assert "membranes of 4 bits in residual buffer A" in capsys.readouterr().out
    assert Program.load(tmp_path / "program.npz").stream
    random_residual_network(6, bits=4, **RESNET).save(tmp_path / "whole.npz")
    assert main([str(tmp_path / "whole.npz"), "--stream"]) == 1
    assert "was lowered for whole images, not for a stream" in capsys.readouterr().err
