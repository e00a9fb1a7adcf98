"""The map of the memories over time."""

import pytest

from sw.page.tenancy import memories, plain


@pytest.mark.parametrize("which", ["digits", "qsnn", "stream"])
def test_every_region_is_there_once(which, request):
    _, program, page = request.getfixturevalue(which)
    told = sorted(
        (m.name.partition(" ")[0], t.name, t.base, t.size) for m in page.memories for t in m.tenants
    )
    assert told == sorted((r.memory, r.name, r.base, r.size) for r in program.regions)
    for m in page.memories:
        assert m.used <= m.depth
        for t in m.tenants:
            assert 0 <= t.begin < t.end <= page.timeline.total


@pytest.mark.parametrize("known", [True, False], ids=["network", "program"])
def test_nothing_lies_on_what_is_still_read(digits, known):
    """Two tensors share words of row or column memory only one after the other."""
    network, program, page = digits
    line = page.timeline
    for m in memories(program, line.spans, line.total, network if known else None):
        if m.name.startswith("res"):  # what is added is replaced by its sum, word by word
            continue
        for n, a in enumerate(m.tenants):
            for b in m.tenants[n + 1 :]:
                apart = a.base + a.size <= b.base or b.base + b.size <= a.base
                assert apart or a.end <= b.begin, (a, b)


def test_a_tensor_ends_with_its_last_reader(digits):
    network, _, page = digits
    spans = {s.layer: s.begin + s.cycles for s in page.timeline.spans}
    found = {plain(t.name): t for m in page.memories for t in m.tenants}
    readers = [each.name for each in network.layers if "block.0.attn.q_lif" in each.reads()]
    assert found["block.0.attn.q_lif"].end == max(spans[name] for name in readers)
    assert found["constants"].end == page.timeline.total


def test_plain_names():
    assert [plain(n) for n in ("x2 (A)", "x3 (B)", "lif")] == ["x2", "x3", "lif"]
