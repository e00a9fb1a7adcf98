"""A NIR file's nodes and edges as a graph: what is wrong with it, and its order."""

from collections import Counter

from sw.frontend.nir.file import NIRFile, NIRNode


class Structure:
    """Who reads whom; ``depth`` is the longest way from the input, set by ``faults``."""

    def __init__(self, file: NIRFile):
        self.nodes, self.edges = file.nodes, file.edges
        self.sources: dict[str, list[str]] = {name: [] for name in self.nodes}
        self.readers: dict[str, list[str]] = {name: [] for name in self.nodes}
        for a, b in file.edges:
            if a in self.nodes and b in self.nodes:
                self.sources[b].append(a)
                self.readers[a].append(b)
        self.depth: dict[str, int] = {}

    def faults(self) -> list[str]:
        """Faults of nodes and edges as a graph."""
        faults = []
        for a, b in self.edges:
            lost = [n for n in (a, b) if n not in self.nodes]
            if lost:
                faults.append(f"edge {a} -> {b} names {' and '.join(lost)}, which is no node")
        counts = Counter(self.edges)
        faults += [f"edge {a} -> {b} is there {n} times" for (a, b), n in counts.items() if n > 1]
        for kind in ("Input", "Output"):
            found = [n.name for n in self.nodes.values() if n.kind == kind]
            if len(found) != 1:
                faults.append(f"{len(found)} {kind} nodes ({', '.join(found)}), wanted one")
        for name, node in self.nodes.items():
            if not self.sources[name] and node.kind != "Input":
                faults.append(f"nothing feeds {node.label}")
            if self.sources[name] and node.kind == "Input":
                faults.append(f"{self.sources[name][0]} feeds {node.label}")
            if not self.readers[name] and node.kind != "Output":
                faults.append(f"{node.label} leads nowhere")
            if self.readers[name] and node.kind == "Output":
                faults.append(f"{node.label} leads on to {self.readers[name][0]}")
        ring = self._ring()
        if ring:
            faults.append(f"recurrent connections through {', '.join(ring)}")
        return faults

    def _ring(self) -> list[str]:
        """Nodes on cycles; sets the depth of all nodes where there are none."""
        left = set(self.nodes)
        for near, far in ((self.sources, self.readers), (self.readers, self.sources)):
            degree = {n: sum(m in left for m in near[n]) for n in left}
            free = [n for n in sorted(left) if not degree[n]]
            for name in free:  # grows
                left.discard(name)
                if near is self.sources:
                    self.depth[name] = 1 + max((self.depth[s] for s in near[name]), default=-1)
                for other in far[name]:
                    if other in left:
                        degree[other] -= 1
                        if not degree[other]:
                            free.append(other)
        return sorted(left)

    def order(self) -> list[str]:
        """From the input to the output; the longer branch of a sum first."""
        last = next(n.name for n in self.nodes.values() if n.kind == "Output")
        order: dict[str, None] = {}
        stack = [(last, False)]
        while stack:
            name, done = stack.pop()
            if done:
                order[name] = None
            elif name not in order:
                stack.append((name, True))
                stack += [(s, False) for s in reversed(self.branches(name)) if s not in order]
        return list(order)

    def branches(self, name: str) -> list[str]:
        return sorted(self.sources[name], key=lambda s: -self.depth[s])

    def is_last(self, node: NIRNode) -> bool:
        """Whether the output reads this layer alone, past its own scale."""
        name = node.name
        while len(self.readers[name]) == 1 and len(self.sources[self.readers[name][0]]) == 1:
            name = self.readers[name][0]
            if self.nodes[name].kind != "Scale":
                return self.nodes[name].kind == "Output"
        return False
