"""Row events: a finished tile told row by row, once for the lanes and once for write-back."""

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import MAX_STEPS
from hw.core.words import ADDR, Tag

EXPAND = 4  #: Distance from tau to the row event of row 0 that the lanes take.


def row_event(config: Config, most: int) -> data.StructLayout:
    """Return the struct of a row event: of tiles of ``config.rows`` rows, ``most`` events a pass.

    ``due``: the event happens in this cycle; the other fields are only then of use. ``count``:
    its number in its pass, ``row``: the row that this is. ``first``: it is of the first pass;
    ``opens``: it is the tile's first. ``tag``: the tile's, its address moved on to the pass's
    time step.
    """
    return data.StructLayout(
        {
            "due": unsigned(1),
            "opens": unsigned(1),
            "first": unsigned(1),
            "count": range(most),
            "row": range(config.rows),
            "tag": Tag,
        }
    )


class RowEvents(wiring.Component):
    """Makes of one tag the row events of its tile: a row or a lane each, in passes.

    There is one pass, or one for each time step, which goes through the rows again. They are made
    twice, from the same tag: for the lanes at ``EXPAND``, and again for write-back when row 0's
    spikes are complete. The tag is cheaper to keep until then than its events, and a tile whose x
    goes to pixel memory has other events there.

    Latency: 1 cycle from ``tag`` to its first event. Throughput: an event a cycle; with ``slow``
    a pass takes timing.STATE_GAP cycles or more. A tag that comes before the last event of the
    one before it replaces it.

    Parameters
    ----------
    config : Config
    most : int
        The most events of a pass.

    Members
    -------
    tag : In(Tag)
        Taken where valid.
    last : In(range(most))
        Number of a pass's last event.
    passes : In(range(MAX_STEPS))
        Number of the tile's last pass.
    slow : In(1)
        Passes begin timing.STATE_GAP cycles apart at least.
    step : In(ADDR)
        What ``tag.addr`` grows by from one pass to the next.
    event : Out(row_event(config, most))
        Cycle 1 + count after the tag in the first pass; passes begin max(last + 1, STATE_GAP with
        ``slow``) cycles apart.
    """

    tag: Any
    last: Signal
    passes: Signal
    slow: Signal
    step: Signal
    event: Any

    latency = 1

    def __init__(self, config: Config, *, most: int):
        self.config, self.most = config, most
        super().__init__(
            {
                "tag": In(Tag),
                "last": In(range(most)),
                "passes": In(range(MAX_STEPS)),
                "slow": In(1),
                "step": In(ADDR),
                "event": Out(row_event(config, most)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        tag: Any = Signal(Tag)
        active = Signal()
        count = Signal(range(self.most))
        step = Signal(range(MAX_STEPS))  # number of the pass
        pause = Signal(range(timing.STATE_GAP), reset_less=True)
        rest = Signal(range(timing.STATE_GAP))  # from the last event of a pass to the next pass
        due = Signal()
        m.d.comb += [
            due.eq(active & (pause == 0)),
            self.event.due.eq(due),
            self.event.opens.eq((step == 0) & (count == 0)),
            self.event.first.eq(step == 0),
            self.event.count.eq(count),
            self.event.row.eq(count),
            self.event.tag.eq(tag),
        ]
        with m.If(self.slow & (self.last < timing.STATE_GAP - 1)):
            m.d.comb += rest.eq(timing.STATE_GAP - 1 - self.last)
        with m.If(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        with m.If(due):
            m.d.sync += count.eq(count + 1)
            with m.If(count == self.last):
                m.d.sync += [
                    count.eq(0),
                    step.eq(step + 1),
                    pause.eq(rest),
                    active.eq(step != self.passes),
                    tag.addr.eq(tag.addr + self.step),
                ]
        with m.If(self.tag.valid):
            m.d.sync += [tag.eq(self.tag), active.eq(1), count.eq(0), step.eq(0), pause.eq(0)]
        return m
