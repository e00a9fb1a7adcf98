"""Writes a netlist as Verilog: what is alike in loops over arrays, all else signal by signal.

Values of a loop are local variables, which a compiler keeps in registers; what is read elsewhere
goes to an array too. Words of memories are written by non-blocking assignments, so that the order
of blocks never matters.
"""

from collections import defaultdict
from collections.abc import Iterable

from hw.tools.looped import cells
from hw.tools.looped.alike import Alike, Operand, Store, Vector, operands
from hw.tools.looped.netlist import Memory, Netlist, Run, Spec, constant, part, width

SEGMENT = 4  #: Fewest neighbours in an array that are copied by a loop.


class _Block:
    """One loop: what is local to it, and signals of all copies, read once before it."""

    def __init__(self, number: int, local: Iterable[Vector] = ()):
        self.number, self.local = number, dict.fromkeys(local)
        self.common: dict[tuple[Spec, int], str] = {}


class Writer:
    """Verilog of a netlist; see `text`."""

    def __init__(self, netlist: Netlist, alike: Alike):
        self.netlist, self.alike = netlist, alike
        self._names: dict[object, str] = {}
        self._arrays: dict[Vector, None] = {}  #: Vectors that are kept, in order.
        self._declared: list[str] = []
        self._initial: list[str] = []
        self._blocks = 0

    # Names and signals.
    def _name(self, thing: object, letter: str) -> str:
        return self._names.setdefault(thing, f"{letter}{len(self._names)}")

    def _array(self, vector: Vector) -> str:
        self._arrays.setdefault(vector)
        return self._name(vector, "v")

    def _ref(self, run: Run) -> str:
        node, low, bits = run
        if node is None:
            return f"{bits}'h{low:x}"
        if node in self.alike.place:
            vector, n = self.alike.place[node]
            name, full = f"{self._array(vector)}[{n}]", vector.bits
        else:
            name, full = self._name(node, "n") if node.kind != "input" else node.name, node.width
        if (low, bits) == (0, full):
            return name
        return f"{name}[{low + bits - 1}:{low}]" if bits > 1 else f"{name}[{low}]"

    def _cat(self, spec: Spec) -> str:
        return cells.spelled(spec, self._ref)

    # Values in a loop.
    def _begin(self, local: Iterable[Vector] = ()) -> _Block:
        self._blocks += 1
        return _Block(self._blocks, local)

    def _value(self, block: _Block, operand: Operand, bits: int, signed: bool = False) -> str:
        """Return an operand of copy ``i`` as a number of ``bits``."""
        if isinstance(operand, Vector):
            size, text = operand.width, self._own(block, operand)
            if operand.bits != bits:
                text = f"{bits}'({text})"
        else:
            size, value = width(operand), constant(operand)
            if value is not None:
                lift = 1 << size if signed and value >> (size - 1) & 1 else 0
                return cells.constant(value - lift, bits)
            text = block.common.setdefault((operand, bits), f"u{len(block.common)}")
        if signed and size < bits:
            top = cells.constant(1 << (size - 1), bits)
            text = f"(({text} ^ {top}) - {top})"
        return text

    def _own(self, block: _Block, vector: Vector) -> str:
        if vector.base is not None:
            return f"{self._array(vector.base)}[i + {vector.at}]"
        if vector in block.local:
            return self._name(("local", vector), "t")
        return f"{self._array(vector)}[i]"

    def _expression(self, block: _Block, vector: Vector) -> str:
        if vector.like is not None:
            return cells.number(
                vector.like,
                lambda pin, bits, signed: self._value(block, vector.pins[pin], bits, signed),
                lambda pin: _size(vector.pins[pin]),
            )
        parts, at = [], 0
        for operand, low, bits in vector.pieces:
            wide = 64 if max(vector.bits, _size(operand)) > 32 else 32
            text = self._value(block, operand, wide)
            if low:
                text = f"({text} >> {low})"
            if low + bits < _size(operand):
                text = cells.masked(text, bits, wide)
            text = text if wide == vector.bits else f"{vector.bits}'({text})"
            parts.append(f"({text} << {at})" if at else text)
            at += bits
        return " | ".join(parts)

    def _loop(self, block: _Block, count: int, lines: list[str], how: str, end: str = "") -> str:
        """Return a block around a loop of ``lines``."""
        common = [(name, bits, spec) for (spec, bits), name in block.common.items()]
        local = [(self._name(("local", v), "t"), v.bits) for v in block.local]
        return "\n".join(
            [
                f"{how} begin : b{block.number}",
                *(f"  logic [{bits - 1}:0] {name};" for name, bits, _ in common),
                *(f"  logic [{bits - 1}:0] {name};" for name, bits in local),
                *(f"  {name} = 0;" for name, _ in local),
                *(f"  {name} = {bits}'({self._cat(spec)});" for name, bits, spec in common),
                f"  for (int unsigned i = 0; i < {count}; i++) begin",
                *(f"    {line}" for line in lines),
                "  end",
                *([f"  {end}"] if end else []),
                "end",
            ]
        )

    def _gathered(self, vector: Vector) -> str:
        """A vector of any signals: neighbours in an array by a loop, others one by one."""
        name, lines = self._array(vector), []
        runs: list[tuple[tuple[Vector, int, int] | None, int, int]] = []
        for k, spec in enumerate(vector.specs):
            node, low, _ = spec[0]
            found = self.alike.place.get(node) if node is not None and len(spec) == 1 else None
            here = (found[0], found[1] - k, low) if found else None
            if runs and here and runs[-1][0] == here:
                runs[-1] = here, runs[-1][1], k + 1
            else:
                runs.append((here, k, k + 1))
        for here, first, end in runs:
            if here is None or end - first < SEGMENT:
                lines += [
                    f"{name}[{k}] = {vector.bits}'({self._cat(vector.specs[k])});"
                    for k in range(first, end)
                ]
                continue
            source, step, low = here
            text = f"({self._array(source)}[i + {first + step}] >> {low})"
            text = cells.masked(text, vector.width, source.bits)
            lines.append(
                f"for (int unsigned i = 0; i < {end - first}; i++) "
                f"{name}[i + {first}] = {vector.bits}'({text});"
            )
        return "\n  ".join(["always_comb begin", *lines]) + "\nend"

    # Blocks.
    def _copied(self, operand: Operand, count: int, bits: int) -> tuple[str, str]:
        """Return an array that is equal to ``operand``, and the block that makes it, or ""."""
        if isinstance(operand, Vector) and operand.base is None:
            return self._array(operand), ""
        block, name = self._begin(), self._name(("copied", operand, count), "c")
        self._declared.append(f"logic [{bits - 1}:0] {name} [{count}];")
        value = self._value(block, operand, bits)
        return name, self._loop(block, count, [f"{name}[i] = {value};"], "always_comb")

    def _registers(self) -> list[str]:
        blocks, moves = [], []
        for vector in self.alike.regs:
            assert vector.sources is not None
            source, block = self._copied(vector.sources, vector.count, vector.bits)
            blocks += [block] if block else []
            name = self._array(vector)
            moves.append(f"{name} <= {source};")
            for k, node in enumerate(vector.nodes):
                self._initial.append(f"{name}[{k}] = {cells.constant(node.init, vector.bits)};")
        for node in self.netlist.regs:
            if node not in self.alike.place:
                name = self._name(node, "n")
                self._declared.append(f"logic [{node.width - 1}:0] {name};  // {node.name}")
                self._initial.append(f"{name} = {node.width}'h{node.init:x};")
                moves.append(f"{name} <= {self._cat(node.pins['D'])};")
        return [*blocks, "\n  ".join(["always @(posedge clk) begin", *moves]) + "\nend"]

    def _store(self, store: Store) -> list[str]:
        """Memories that are alike: one array, copy by copy."""
        first, count = store.memories[0], len(store.memories)
        bits, name = (32 if first.width <= 32 else 64), self._name(store, "m")
        self._declared.append(f"logic [{bits - 1}:0] {name} [{count * first.depth}];")
        for k, memory in enumerate(store.memories):
            self._contents(name, bits, k * memory.depth, memory)
        block, lines, ends, blocks = self._begin(), [], [], []

        def word(block: _Block, address: Operand) -> str:
            return f"{name}[(i << {first.address}) | {self._value(block, address, 32)}]"

        for read in store.reads:
            own = self._array(read)
            if not read.settled:
                now = self._begin()
                lines_now = [f"{own}[i] = {word(now, read.pins['addr'])};"]
                blocks.append(self._loop(now, count, lines_now, "always_comb"))
                continue
            self._declared.append(f"logic [{bits - 1}:0] {own}_next [{count}];")
            enable = self._value(block, read.pins["en"], 32)
            take = f"{own}_next[i] = {word(block, read.pins['addr'])};"
            lines.append(take if enable == "32'h1" else f"if ({enable} != 0) {take}")
            ends.append(f"{own} <= {own}_next;")
        for write in store.writes:
            enable, data = (self._value(block, write[pin], bits) for pin in ("en", "data"))
            at = word(block, write["addr"])
            lines.append(f"if ({enable} != 0) {at} <= ({at} & ~{enable}) | ({data} & {enable});")
        clocked = self._loop(block, count, lines, "always @(posedge clk)", " ".join(ends))
        return [*blocks, clocked]

    def _contents(self, name: str, bits: int, at: int, memory: Memory) -> None:
        last = at + memory.depth
        self._initial.append(f"for (int k = {at}; k < {last}; k++) {name}[k] = 0;")
        self._initial += [
            f"{name}[{at + n}] = {bits}'h{word:x};" for n, word in enumerate(memory.init) if word
        ]

    def _memory(self, memory: Memory) -> str:
        """A memory by itself."""
        name, lines = self._name(memory, "m"), []
        self._declared.append(f"logic [{memory.width - 1}:0] {name} [{memory.depth}];")
        self._contents(name, memory.width, 0, memory)
        for read in memory.reads:
            own, word = self._name(read, "n"), f"{name}[{self._cat(read.pins['addr'])}]"
            self._declared.append(f"logic [{memory.width - 1}:0] {own};")
            if read.sync:
                lines.append(f"if ({self._cat(read.pins['en'])}) {own} <= {word};")
            else:
                self._declared.append(f"assign {own} = {word};")
        for write in memory.writes:
            at = 0
            while at < memory.width:  # bits of one enable
                enable, end = part(write["en"], at, 1), at + 1
                while end < memory.width and part(write["en"], end, 1) == enable:
                    end += 1
                data = self._cat(part(write["data"], at, end - at))
                bits = "" if (at, end) == (0, memory.width) else f"[{end - 1}:{at}]"
                word = f"{name}[{self._cat(write['addr'])}]{bits}"
                lines.append(f"if ({self._cat(enable)}) {word} <= {data};")
                at = end
        return "\n  ".join(["always @(posedge clk) begin", *lines]) + "\nend"

    def _signals(self) -> list[str]:
        alone = [node for node in self.netlist.cells if node not in self.alike.place]
        self._declared += [
            f"wire [{node.width - 1}:0] {self._name(node, 'n')};  // {node.name}" for node in alone
        ]
        return [
            *(f"assign {self._name(n, 'n')} = {cells.signal(n, self._cat)};" for n in alone),
            *(f"assign {name} = {self._cat(s)};" for name, s in self.netlist.outputs.items()),
        ]

    def _loops(self) -> list[str]:
        """Loops from the last level to the first, so that who reads an array is known before."""
        groups: dict[tuple[int, tuple[str, int]], list[Vector]] = defaultdict(list)
        for vector in self.alike.vectors:
            groups[self.alike.level(vector), vector.kind].append(vector)
        out = []
        for (_, (kind, count)), vectors in sorted(groups.items(), reverse=True, key=lambda g: g[0]):
            if kind == "gather":
                out += [self._gathered(vector) for vector in vectors]
                continue
            block, lines = self._begin(vectors), []
            for vector in _sorted(vectors):
                own = self._own(block, vector)
                lines.append(f"{own} = {self._expression(block, vector)};")
                if vector in self._arrays:
                    lines.append(f"{self._array(vector)}[i] = {own};")
            out.append(self._loop(block, count, lines, "always_comb"))
        return out

    def text(self, name: str) -> str:
        """Return module ``name``."""
        stores = [text for store in self.alike.stores for text in self._store(store)]
        of_stores = {memory for store in self.alike.stores for memory in store.memories}
        alone = [self._memory(m) for m in self.netlist.memories if m not in of_stores]
        body = [*self._registers(), *stores, *alone, *self._signals(), *self._loops()]
        arrays = [
            f"logic [{v.bits - 1}:0] {self._array(v)} [{v.count}];"
            + (f"  // {v.nodes[0].name}" if v.nodes else "")
            for v in self._arrays
        ]
        ports = [f"input wire [{n.width - 1}:0] {n.name}" for n in self.netlist.inputs]
        ports += [f"output wire [{width(s) - 1}:0] {n}" for n, s in self.netlist.outputs.items()]
        start = "\n  ".join(["initial begin", *self._initial]) + "\nend"
        head = f"module {name} (\n  " + ",\n  ".join(ports) + "\n);"
        return "\n".join([head, *arrays, *self._declared, start, *body, "endmodule", ""])


def _size(operand: Operand) -> int:
    return operand.width if isinstance(operand, Vector) else width(operand)


def _sorted(vectors: list[Vector]) -> list[Vector]:
    """Order values of a loop: what is read first."""
    out: dict[Vector, None] = {}
    inside = set(vectors)

    def add(vector: Vector) -> None:
        if vector not in out:
            for operand in operands(vector):
                if isinstance(operand, Vector) and operand in inside:
                    add(operand)
            out[vector] = None

    for vector in vectors:
        add(vector)
    return list(out)
