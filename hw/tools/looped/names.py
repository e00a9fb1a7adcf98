"""Names and places in C++ of what a netlist has: inputs, registers, memories and their words."""

from hw.tools.looped.alike import Alike, Store, Vector
from hw.tools.looped.layout import Layout, full
from hw.tools.looped.netlist import Netlist, Node


def argument(node: Node) -> str:
    """Return the name of an input among others of C++: no word of the language, no variable's."""
    return f"i_{node.name}"


def place_in(store: Store, address: str, copy: str = "i") -> str:
    """Return the place of a copy's word: words of an address stand side by side.

    Copies mostly read the same address or close ones, which then is one line of a cache.
    """
    return f"({address} * {full(len(store.memories))}) + {copy}"


class Names:
    """Names of registers, memories and their contents, for all functions of a design."""

    def __init__(self, netlist: Netlist, alike: Alike):
        self.alike, self.layout = alike, Layout(netlist, alike)
        self._known: dict[object, str] = {}
        self.store = {read: store for store in alike.stores for read in store.reads}
        self.memory = {read: memory for memory in netlist.memories for read in memory.reads}
        #: Arrays that go on behind their copies, as loops over later ones of them do.
        self.longer: set[Vector] = set()

    def of(self, thing: object, letter: str) -> str:
        return self._known.setdefault(thing, f"{letter}{len(self._known)}")

    def register(self, of: str, thing: Node | Vector) -> str:
        """Return a register, or an array of them: ``of`` is "r" before an edge and "s" after it."""
        at = self.layout.place.get(thing)
        if at is None:
            return f"{of}.{self.of(thing, 'v' if isinstance(thing, Vector) else 'n')}"
        rows = {"r": "old", "s": "young"}[of]
        return f"({rows} + {at})" if isinstance(thing, Vector) else f"{rows}[{at}]"
