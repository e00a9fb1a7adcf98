"""The port to a memory outside: a request, and a stream of words each way."""

from amaranth.lib import data

from hw.arch.outside import ADDRESS_BITS, COUNT_BITS, WORD_BITS
from hw.core.outside import OutsidePort, Request


def test_a_request_has_its_fields_from_the_lowest_bit_on():
    """As sim/outside.sv takes them apart."""
    layout = data.Layout.cast(Request)
    places = {name: (field.offset, field.width) for name, field in layout}
    assert places == {
        "addr": (0, ADDRESS_BITS),
        "count": (ADDRESS_BITS, COUNT_BITS),
        "write": (ADDRESS_BITS + COUNT_BITS, 1),
    }
    assert (ADDRESS_BITS, COUNT_BITS) == (27, 20)


def test_words_go_both_ways():
    port = OutsidePort().create()
    assert len(port.read.payload) == len(port.write.payload) == WORD_BITS
    flows = {path: str(member.flow) for path, member, _ in port.signature.flatten(port)}
    assert flows[("read", "valid")] == flows[("request", "ready")] == "In"
    assert flows[("drop",)] == flows[("write", "payload")] == flows[("read", "ready")] == "Out"
