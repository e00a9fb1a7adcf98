"""Orders and column tiles, played on a mover as a sequencer plays them."""


class Orders:
    """What a sequencer has to say: ("order", address, words, blocks) and ("tile", cycles).

    ``took`` holds the cycle in which each was taken.
    """

    def __init__(self, program):
        self.events, self.took = list(program), []
        self._ends = None  # cycle in which the tile that is under way ends

    @property
    def left(self):
        """Whether something is to be said, or a tile is under way."""
        return bool(self.events) or self._ends is not None

    def drive(self, ctx, mover, cycle):
        """Set the mover's inputs in a cycle, and note what it takes."""
        now = self.events[0] if self.events and self._ends is None else None
        orders = now is not None and now[0] == "order"
        ctx.set(mover.order.valid, orders)
        if orders:
            names = ("addr", "words", "blocks")
            ctx.set(mover.order.payload, dict(zip(names, now[1:], strict=True)))
        take = now is not None and now[0] == "tile" and ctx.get(mover.ready)
        ctx.set(mover.take, take)
        ctx.set(mover.end, self._ends == cycle)
        if take or (orders and ctx.get(mover.order.ready)):
            self.took.append(cycle)
            self.events.pop(0)
            self._ends = cycle + now[1] if take else None
        elif self._ends == cycle:
            self._ends = None
