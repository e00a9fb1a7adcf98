"""The port to a memory outside the chip: all that a core knows of it."""

from amaranth.hdl import unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arch.outside import ADDRESS_BITS, COUNT_BITS, WORD_BITS


class Request(data.Struct):
    """A transfer of consecutive words."""

    addr: unsigned(ADDRESS_BITS)  #: Of the first word; words have WORD_BITS bits.
    count: unsigned(COUNT_BITS)  #: How many, 1 or more.
    write: unsigned(1)  #: They go out; else they come in.


class OutsidePort(wiring.Signature):
    """One port: requests, and the words that they move, in order; as the core has it.

    A request may be taken while words of the one before are still under way; words come in the
    order of their requests, and those that go out do too. A word that is offered stays until it
    is taken.

    Members
    -------
    request : Out(stream of Request).
    write : Out(stream of WORD_BITS bits), the words of requests that write.
    read : In(stream of WORD_BITS bits), those of the others.
    drop : Out(1), a pulse: requests that were taken are forgotten, and words of them that were not
        taken never come, nor are more wanted. ``request.ready`` is low until that is so.
    """

    def __init__(self):
        words = stream.Signature(unsigned(WORD_BITS))
        super().__init__(
            {
                "request": Out(stream.Signature(Request)),
                "write": Out(words),
                "read": In(words),
                "drop": Out(1),
            }
        )
