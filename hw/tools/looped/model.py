"""A netlist as C++: its state, a function that is a clock cycle, functions that give outputs."""

from collections.abc import Iterable, Sequence

from hw.tools.looped import cells
from hw.tools.looped.alike import Alike, Store, Vector
from hw.tools.looped.branches import branches
from hw.tools.looped.layout import SLIDE, STEP, full
from hw.tools.looped.names import Names, argument, place_in
from hw.tools.looped.netlist import Memory, Netlist, Node, Spec, bits_of
from hw.tools.looped.order import late, ordered
from hw.tools.looped.write import Function, Loop

HEAD = """\
#include <cstdint>

using u32 = uint32_t;
using u64 = uint64_t;
using i32 = int32_t;
using i64 = int64_t;

// A condition that is as often true as not: no branch is worth its wrong guesses.
#define EVEN(condition) __builtin_expect_with_probability(condition, 1, 0.5)

namespace {
"""


class Model:
    """C++ of a netlist; see `text`."""

    def __init__(self, netlist: Netlist, alike: Alike):
        self.netlist, self.alike, self.names = netlist, alike, Names(netlist, alike)
        late(netlist, alike)
        alone = [node for node in ordered(netlist, alike) if isinstance(node, Node)]
        self._order = ordered(netlist, alike, branches(netlist, alike, alone))

    def text(self, name: str, groups: Sequence[Sequence[str]]) -> str:
        """Return a file with functions of C for a design of this ``name``.

        ``NAME_made()`` returns a new state; ``NAME_step(state, input, ...)`` is a rising edge of
        the clock; ``NAME_outputsN(state, output, ...)`` gives the outputs ``groups[N]``, each as
        words of 32 bits, lowest first.
        """
        inputs = [node for node in self.netlist.inputs if node.name != "clk"]
        given = "".join(f", const {_number(node)} {argument(node)}" for node in inputs)
        step = self._step()
        functions = [
            f"void step(const Registers& __restrict r, Registers& __restrict s, "
            f"Memories& __restrict m, const u32* __restrict old, u32* __restrict young{given}) {{",
            *_indented(step),
            "}",
        ]
        outside = [
            f'extern "C" void* {name}_made() {{ return new State; }}',
            f'extern "C" void {name}_step(void* state{given}) {{',
            "  State& it = *static_cast<State*>(state);",
            "  const u32 now = it.now;",
            "  it.now = !now;",
            "  u32* young = it.rows.moved();",
            "  step(it.registers[now], it.registers[!now], it.memories, young + 1, young"
            + "".join(f", {argument(node)}" for node in inputs)
            + ");",
            "}",
        ]
        for n, outputs in enumerate(groups):
            taken = "".join(f", u32* o_{output}" for output in outputs)
            outside += [
                f'extern "C" void {name}_outputs{n}(void* state{taken}) {{',
                "  const State& it = *static_cast<State*>(state);",
                "  [[maybe_unused]] const Registers& r = it.registers[it.now];",
                "  [[maybe_unused]] const Memories& m = it.memories;",
                "  [[maybe_unused]] const u32* old = it.rows.first;",
                *_indented(self._outputs(outputs)),
                "}",
            ]
        state = [*self._registers(), *self._rows(), *self._memories(), *STATE, ""]
        return "\n".join([HEAD, *state, *functions, "", "}  // namespace", "", *outside, ""])

    # Functions.
    def _step(self) -> list[str]:
        body = Function(self.names, self._order, "s")
        ends = body.registers()
        for store in self.alike.stores:
            ends += self._store_reads(body, store)
        alone = self._alone()
        for memory in alone:
            ends += self._reads(body, memory)
        for store in self.alike.stores:
            ends += self._store_writes(body, store)
        for memory in alone:
            ends += self._writes(body, memory)
        for which, regs in self.names.layout.resets.items():
            sets = [f"  {self.names.register('s', reg)} = {value:#x};" for reg, value in regs]
            ends += [f"if (__builtin_expect({body.signal(which, 32)}, 0)) {{", *sets, "}"]
        return body.text(ends)

    def _outputs(self, names: Sequence[str]) -> list[str]:
        body = Function(self.names, self._order)
        ends = [
            f"o_{name}[{n}] = {word};"
            for name in names
            for n, word in enumerate(body.words(self.netlist.outputs[name]))
        ]
        return body.text(ends)

    def _alone(self) -> list[Memory]:
        of_stores = {memory for store in self.alike.stores for memory in store.memories}
        return [memory for memory in self.netlist.memories if memory not in of_stores]

    def _store_reads(self, body: Function, store: Store) -> list[str]:
        """Words that the clock takes from memories that are alike."""
        out = []
        for read in store.reads:
            if read.settled:
                loop, name = Loop(), self.names.of(read, "v")
                word = body.word(loop, read, read.pins["addr"])
                enable = body.value(loop, read.pins["en"], 32)
                taken = (
                    word
                    if enable == "0x1u"
                    else cells.chosen(f"r.{name}[i]", "word", cells.cast(enable, 32, read.bits))
                )
                lines = [f"s.{name}[i] = {taken};"]
                if taken != word:
                    lines.insert(0, f"const u{read.bits} word = {word};")
                out.append(body.around(loop, read.count, lines))
        return out

    def _store_writes(self, body: Function, store: Store) -> list[str]:
        memory, count = store.memories[0], len(store.memories)
        bits, name, out = bits_of(memory.width), self.names.of(store, "m"), []
        for write in store.writes:
            loop = Loop()
            enable, data = (body.value(loop, write[pin], bits) for pin in ("en", "data"))
            at = f"{name}[{place_in(store, body.value(loop, write['addr'], 32))}]"
            line = f"if ({enable}) m.{at} = (m.{at} & ~{enable}) | ({data} & {enable});"
            any_of = f"for (u32 i = 0; i < {count}; i++) any |= {enable};"
            out.append(body.around(loop, count, [line], f"u{bits} any = 0;\n{any_of}\nif (any)"))
        return out

    def _reads(self, body: Function, memory: Memory) -> list[str]:
        out = []
        for read in memory.reads:
            if read.sync:
                old, own = (self.names.register(of, read) for of in "rs")
                enable = body.signal(read.pins["en"], 32)
                word = self._word(body, memory, read.pins["addr"])
                taken = word if enable == "0x1u" else f"{enable} ? {word} : {old}"
                out.append(f"{own} = {taken};")
        return out

    def _word(self, body: Function, memory: Memory, address: Spec) -> str:
        return f"m.{self.names.of(memory, 'm')}[{body.signal(address, 32)}]"

    def _writes(self, body: Function, memory: Memory) -> list[str]:
        bits, out = bits_of(memory.width), []
        for write in memory.writes:
            word = self._word(body, memory, write["addr"])
            enable, data = (body.signal(write[pin], bits) for pin in ("en", "data"))
            out += [
                f"if (const u{bits} en = {enable})",
                f"  {word} = ({word} & ~en) | ({data} & en);",
            ]
        return out

    # State.
    def _registers(self) -> list[str]:
        lines, place = [], self.names.layout.place
        for vector in self.alike.regs:
            if vector not in place:
                values = [cells.literal(node.init, vector.bits) for node in vector.nodes]
                init = f"{{{', '.join(values)}}}" if any(n.init for n in vector.nodes) else "{}"
                lines.append(f"{self._array(vector)} = {init};  // {vector.nodes[0].name}")
        for store in self.alike.stores:
            lines += [f"{self._array(read)} = {{}};" for read in store.reads if read.settled]
        for node in self._singles():
            if node not in place:
                bits, name = bits_of(node.width), self.names.of(node, "n")
                lines.append(f"u{bits} {name} = {cells.literal(node.init, bits)};  // {node.name}")
        return ["struct Registers {", *_indented(lines), "};", ""]

    def _singles(self) -> list[Node]:
        """Registers in no loop, those of memories' reads among them."""
        reads = [read for memory in self._alone() for read in memory.reads if read.sync]
        return [node for node in [*self.netlist.regs, *reads] if node not in self.alike.place]

    def _rows(self) -> list[str]:
        layout, places = self.names.layout, []
        for vector in self.alike.regs:
            if vector in layout.place:
                places += [(layout.place[vector] + n, node) for n, node in enumerate(vector.nodes)]
        places += [(layout.place[n], n) for n in self._singles() if n in layout.place]
        begin = [f"first[{at}] = {n.init:#x};  // {n.name}" for at, n in places if n.init]
        return [
            "struct Rows {",
            f"  u32 all[{SLIDE + layout.length + 2 * STEP}] = {{}};",
            f"  u32* first = all + {SLIDE};",
            *(f"  // {at}: {node.name}" for at, node in places),
            *(["  Rows() {", *_indented(_indented(begin)), "  }"] if begin else []),
            "",
            "  // Moves them by one place.",
            "  u32* moved() {",
            "    if (first == all) {",
            f"      first = all + {SLIDE};",
            f"      for (u32 i = {layout.length}; i--;) first[i] = all[i];",
            "    }",
            "    return --first;",
            "  }",
            "};",
            "",
        ]

    def _array(self, vector: Vector) -> str:
        count = full(vector.count) + STEP * (vector in self.names.longer)
        return f"alignas(64) u{vector.bits} {self.names.of(vector, 'v')}[{count}]"

    def _memories(self) -> list[str]:
        lines, contents = [], []
        groups = [(store, store.memories) for store in self.alike.stores]
        groups += [(memory, [memory]) for memory in self._alone()]
        for thing, memories in groups:
            first, name = memories[0], self.names.of(thing, "m")
            step = full(len(memories)) if isinstance(thing, Store) else 1
            size = step << first.address
            lines.append(f"u{bits_of(first.width)} {name}[{size}] = {{}};  // {first.name}")
            for n, memory in enumerate(memories):
                contents += [
                    f"{name}[{k * step + n}] = {cells.literal(word, bits_of(first.width))};"
                    for k, word in enumerate(memory.init)
                    if word
                ]
        made = ["Memories() {", *_indented(contents), "}"]
        return ["struct Memories {", *_indented([*lines, *made]), "};", ""]


STATE = (
    "struct State {",
    "  Registers registers[2];  // of before and after an edge, in turns",
    "  Rows rows;",
    "  Memories memories;",
    "  u32 now = 0;",
    "};",
)


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for text in lines for line in text.split("\n")]


def _number(node: Node) -> str:
    return "u32" if node.width <= 32 else "unsigned long long"
