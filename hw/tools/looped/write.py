"""Writes a netlist as C++: what is alike in loops over arrays, all else number by number.

Registers stand in two structures of which each clock cycle reads one and writes the other, so that
no order matters, or in rows (`hw.tools.looped.layout`); memories are written last. Values of a loop
are local variables, which a compiler keeps in vector registers; what is read elsewhere goes to an
array too.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from hw.tools.looped import cells
from hw.tools.looped.alike import Operand, Vector
from hw.tools.looped.branches import Branch
from hw.tools.looped.cells import Piece
from hw.tools.looped.layout import STEP, full
from hw.tools.looped.names import Names, argument, place_in
from hw.tools.looped.netlist import Node, Run, Spec, bits_of, constant, width
from hw.tools.looped.order import sorted_vectors

SEGMENT = 4  #: Fewest neighbours in an array that are copied by a loop.


class Loop:
    """Signals of all copies of one loop, read once before it."""

    def __init__(self) -> None:
        self.common: dict[tuple[Spec, int], str] = {}


class Function:
    """Statements that compute what is asked for, and what it needs.

    ``new``: where registers' next values go (in a clock cycle), or "" (outputs).
    """

    def __init__(self, names: Names, order: Sequence[Node | Branch], new: str = ""):
        self.names, self.alike, self.order, self.new = names, names.alike, order, new
        self._needed: set[Node] = set()
        self._arrays: dict[Vector, None] = {}
        #: Local variables of the loop that is being written, and those of them that it reads.
        self._within: set[Vector] = set()
        self._used: set[Vector] = set()
        #: Arrays that are a register's next value.
        self._next: dict[Vector, Vector] = {}
        if new:
            for reg in self.alike.regs:
                source = reg.sources
                if isinstance(source, Vector) and source.base is None and not source.settled:
                    self._next.setdefault(source, reg)

    # Signals.
    def array(self, vector: Vector) -> str:
        if vector.settled:
            return self.names.register("r", vector)
        self._arrays.setdefault(vector)
        if vector in self._next:
            return self.names.register(self.new, self._next[vector])
        if self._begun(vector):
            return self.names.register(self.new, self.names.layout.begun[vector])
        return self.names.of(vector, "v")

    def _begun(self, vector: Vector) -> bool:
        """Whether an array stands in a row already."""
        return bool(self.new) and vector in self.names.layout.begun and vector not in self._next

    def _piece(self, run: Run) -> Piece | tuple[int, int]:
        node, low, bits = run
        if node is None:
            return low, bits
        if node in self.alike.place:
            vector, n = self.alike.place[node]
            return Piece(f"{self.array(vector)}[{n}]", node.width, low, bits)
        if node.kind == "input":
            return Piece(argument(node), node.width, low, bits)
        if node.settled:
            return Piece(self.names.register("r", node), node.width, low, bits)
        self._needed.add(node)
        return Piece(self.names.of(node, "n"), node.width, low, bits)

    def signal(self, spec: Spec, bits: int, signed: bool = False) -> str:
        """Return a signal as a number of ``bits``."""
        size, value = width(spec), constant(spec)
        if value is not None:
            lift = 1 << size if signed and value >> (size - 1) & 1 else 0
            return cells.literal(value - lift, bits)
        text = cells.joined([self._piece(run) for run in spec], bits)
        return cells.extended(text, size, bits) if signed else text

    def words(self, spec: Spec) -> list[str]:
        """Return a signal as numbers of 32 bits, lowest first."""
        return cells.concatenated([self._piece(run) for run in spec], -(-width(spec) // 32))

    def _cell(self, node: Node) -> str:
        pins = node.pins
        return cells.number(
            node,
            lambda pin, bits, signed: self.signal(pins[pin], bits, signed),
            lambda pin: width(pins[pin]),
            cells.picked,
        )

    # Values in a loop.
    def value(self, loop: Loop, operand: Operand, bits: int, signed: bool = False) -> str:
        """Return an operand of copy ``i`` as a number of ``bits``."""
        if isinstance(operand, Vector):
            size, text = operand.width, cells.cast(self._own(operand), operand.bits, bits)
        else:
            size, value = width(operand), constant(operand)
            if value is not None:
                return self.signal(operand, bits, signed)
            text = loop.common.setdefault((operand, bits), f"all{len(loop.common)}")
        return cells.extended(text, size, bits) if signed else text

    def _own(self, vector: Vector) -> str:
        if vector.base is not None:
            if full(vector.count) + vector.at > full(vector.base.count):
                self.names.longer |= {vector.base, self._next.get(vector.base, vector.base)}
            return f"{self.array(vector.base)}[i + {vector.at}]"
        if vector in self._within:
            self._used.add(vector)
            return self.names.of(("local", vector), "t")
        return f"{self.array(vector)}[i]"

    def _expression(self, loop: Loop, vector: Vector) -> str:
        if vector.like is not None:
            return cells.number(
                vector.like,
                lambda pin, bits, signed: self.value(loop, vector.pins[pin], bits, signed),
                lambda pin: _size(vector.pins[pin]),
            )
        return cells.joined(
            [
                Piece(self.value(loop, operand, bits_of(_size(operand))), _size(operand), low, bits)
                for operand, low, bits in vector.pieces
            ],
            vector.bits,
        )

    def around(self, loop: Loop, count: int, lines: Iterable[str], before: str = "") -> str:
        """Return a loop of ``lines``."""
        lines = [
            *(f"const u{bits} {name} = {self.signal(spec, bits)};"
              for (spec, bits), name in loop.common.items()),
            *([before] if before else []),
            f"for (u32 i = 0; i < {count}; i++) {{",
            *(f"  {line}" for line in lines),
            "}",
        ]  # fmt: skip
        return "\n".join(["{", *(f"  {line}" for line in lines), "}"])

    def _declared(self, vector: Vector) -> str:
        """The declaration of an array that is none of a register."""
        if vector in self._next:
            return ""
        count = full(vector.count) + STEP * (vector in self.names.longer)
        return f"alignas(64) u{vector.bits} {self.names.of(vector, 'v')}[{count}];"

    def _pure(self, count: int, vectors: list[Vector]) -> list[str]:
        """One loop of operations of all copies, of what is needed of them."""
        loop, lines = Loop(), []
        self._within, self._used = set(vectors), set()
        for vector in reversed(sorted_vectors(vectors)):
            if vector not in self._arrays and vector not in self._used:
                continue
            own = self.names.of(("local", vector), "t")
            if vector in self._arrays:
                lines.append(f"{self.array(vector)}[i] = {own};")
            lines.append(f"const u{vector.bits} {own} = {self._expression(loop, vector)};")
        self._within = set()
        if not lines:
            return []
        arrays = [self._declared(vector) for vector in vectors if vector in self._arrays]
        return [*filter(None, arrays), self.around(loop, full(count), reversed(lines))]

    def _gathered(self, vector: Vector) -> list[str]:
        """A vector of any signals: neighbours in an array by a loop, others one by one."""
        if vector not in self._arrays or self._begun(vector):
            return []
        name, lines = self.array(vector), []
        if self._next.get(vector) in self.names.layout.place:
            return [f"{name}[0] = {self.signal(vector.specs[0], vector.bits)};"]
        runs: list[tuple[tuple[Vector, int, int] | None, int, int]] = []
        for k, spec in enumerate(vector.specs):
            node, low, _ = spec[0]
            found = self.alike.place.get(node) if node is not None and len(spec) == 1 else None
            here = None if found is None else (found[0], found[1] - k, low)
            if runs and runs[-1][0] == here and here is not None:
                runs[-1] = here, runs[-1][1], k + 1
            else:
                runs.append((here, k, k + 1))
        for here, first, end in runs:
            if here is None or end - first < SEGMENT:
                lines += [
                    f"{name}[{k}] = {self.signal(vector.specs[k], vector.bits)};"
                    for k in range(first, end)
                ]
                continue
            source, step, low = here
            text = f"{self.array(source)}[i + {first + step}]"
            text = cells.joined([Piece(text, source.width, low, vector.width)], vector.bits)
            lines.append(f"for (u32 i = 0; i < {end - first}; i++) {name}[i + {first}] = {text};")
        return [*filter(None, [self._declared(vector)]), *lines]

    def _read(self, vector: Vector) -> list[str]:
        """Words that memories give without a clock."""
        if vector not in self._arrays:
            return []
        loop = Loop()
        line = f"{self.array(vector)}[i] = {self.word(loop, vector, vector.pins['addr'])};"
        return [*filter(None, [self._declared(vector)]), self.around(loop, vector.count, [line])]

    def word(self, loop: Loop, of: Vector, address: Operand) -> str:
        """Return the word of copy ``i``'s memory."""
        at = place_in(self.names.store[of], self.value(loop, address, 32))
        return f"m.{self.names.of(self.names.store[of], 'm')}[{at}]"

    def _scalar(self, node: Node | Branch) -> list[str]:
        if isinstance(node, Branch):
            return self._branch(node)
        bits, layout = bits_of(node.width), self.names.layout
        if node.kind == "reg":
            own = self.names.register(self.new, node)
            taken = node in layout.taken
            return [] if taken else [f"{own} = {self.signal(layout.next[node], bits)};"]
        if node not in self._needed:
            return []
        name = self.names.of(node, "n")
        text = self._cell(node) if node.kind == "cell" else self._alone(node)
        return [f"const u{bits} {name} = {text};  // {node.name}"]

    def _branch(self, branch: Branch) -> list[str]:
        """What depends on a signal, behind a branch."""
        before, body = [], []
        for node in reversed(branch.body):
            if node not in self._needed:
                continue
            bits, name = bits_of(node.width), self.names.of(node, "n")
            chosen = node in branch.choices
            begin = f"const u{bits} " if node in branch.inner else ""
            text = self.signal(node.pins["B"], bits) if chosen else self._cell(node)
            body.append(f"  {begin}{name} = {text};  // {node.name}")
            if node not in branch.inner:
                first = self.signal(node.pins["A"], bits) if chosen else "0"
                before.append(f"u{bits} {name} = {first};")
        if not body:
            return []
        condition = f"if (__builtin_expect({self.signal(branch.which, 32)}, 0)) {{"
        return [*before, condition, *reversed(body), "}"]

    def _alone(self, node: Node) -> str:
        """The word of a memory by itself."""
        name = self.names.of(self.names.memory[node], "m")
        return f"m.{name}[{self.signal(node.pins['addr'], 32)}]"

    def registers(self) -> list[str]:
        """Statements of the registers of copies whose next value is not computed in place."""
        loops: dict[int, tuple[Loop, list[str]]] = {}
        for reg in self.alike.regs:
            assert reg.sources is not None
            own = self.names.register(self.new, reg)
            if isinstance(reg.sources, Vector) and self._next.get(reg.sources) is reg:
                self.array(reg.sources)
                continue
            loop, lines = loops.setdefault(full(reg.count), (Loop(), []))
            lines.append(f"{own}[i] = {self.value(loop, reg.sources, reg.bits)};")
        return [self.around(loop, count, lines) for count, (loop, lines) in loops.items()]

    # Statements.
    def text(self, ends: Sequence[str] = ()) -> list[str]:
        """Return all statements, ``ends`` last."""
        levels: dict[int, list[Node | Branch]] = defaultdict(list)
        for node in self.order:
            if isinstance(node, Branch):
                levels[node.level].append(node)
            elif node.kind != "reg":
                levels[self.alike.node_level(node)].append(node)
            elif self.new:
                levels[self.alike.spec_level(node.pins["D"])].append(node)
        groups: dict[int, dict[tuple[str, int], list[Vector]]] = defaultdict(
            lambda: defaultdict(list)
        )
        unsettled = [r for store in self.alike.stores for r in store.reads if not r.settled]
        for vector in [*self.alike.vectors, *unsettled]:
            groups[self.alike.level(vector)][vector.kind].append(vector)
        out: list[list[str]] = [list(ends)]
        for level in sorted({*levels, *groups}, reverse=True):
            for (kind, count), vectors in groups[level].items():
                if kind == "pure":
                    out.append(self._pure(count, vectors))
                else:
                    how = self._gathered if kind == "gather" else self._read
                    out += [how(vector) for vector in vectors]
            out += [self._scalar(node) for node in reversed(levels[level])]
        return [line for lines in reversed(out) for line in lines]


def _size(operand: Operand) -> int:
    return operand.width if isinstance(operand, Vector) else width(operand)
