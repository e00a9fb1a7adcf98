"""What is computed late is there for all that read it, and needs no array."""

from hw.tools.looped.alike import Alike, Vector, operands
from hw.tools.looped.names import Names
from hw.tools.looped.narrow import narrow
from hw.tools.looped.order import late, ordered, sorted_vectors
from hw.tools.looped.write import Function
from tests.tools.looped.design import netlist


def arrays(found, alike):
    """How many arrays the statements of a cycle declare."""
    body = Function(Names(found, alike), ordered(found, alike), "s")
    return "\n".join(body.text(body.registers())).count("alignas(64)")


def test_late_values_are_there_for_all_that_read_them(tmp_path):
    found = netlist(tmp_path)
    narrow(found)
    alike = Alike(found)
    before, kept = {v: alike.level(v) for v in alike.vectors}, arrays(found, alike)
    late(found, alike)
    assert any(alike.level(v) > before[v] for v in alike.vectors)
    assert arrays(found, alike) < kept
    for vector in alike.vectors:
        for operand in operands(vector):
            if isinstance(operand, Vector) and not operand.settled:
                assert alike.level(operand) <= alike.level(vector) - (operand.kind != vector.kind)
            elif not isinstance(operand, Vector):
                assert alike.spec_level(operand) <= alike.level(vector)


def test_values_of_a_loop_are_sorted(tmp_path):
    found = netlist(tmp_path)
    narrow(found)
    vectors = Alike(found).vectors
    order = sorted_vectors(list(reversed(vectors)))
    assert set(order) == set(vectors)
    place = {vector: n for n, vector in enumerate(order)}
    for vector in vectors:
        assert all(place.get(o, -1) < place[vector] for o in operands(vector))  # type: ignore[arg-type]
