"""NIR graphs run by NIR's own equations, forward Euler in float64 loops; and graphs to run."""

import nir
import numpy as np


def convolve(x, node):
    """(B, C, H, W) by a ``nir.Conv2d``."""
    w = np.asarray(node.weight, dtype=float)
    kh, kw = w.shape[2:]
    if isinstance(node.padding, str):
        ph, pw = (kh // 2, kw // 2) if node.padding == "same" else (0, 0)
    else:
        ph, pw = np.resize(node.padding, 2)
    sh, sw = np.resize(node.stride, 2)
    wide = np.pad(x, [(0, 0), (0, 0), (ph, ph), (pw, pw)])
    rows, columns = (wide.shape[2] - kh) // sh + 1, (wide.shape[3] - kw) // sw + 1
    out = np.zeros((len(x), len(w), rows, columns))
    for y in range(rows):
        for z in range(columns):
            window = wide[:, :, y * sh : y * sh + kh, z * sw : z * sw + kw]
            out[:, :, y, z] = np.einsum("bcij,ocij->bo", window, w) + node.bias
    return out


def pool(x, node):
    """Sums over the windows of a pool."""
    kh, kw = node.kernel_size
    sh, sw = node.stride
    ph, pw = node.padding
    wide = np.pad(x, [(0, 0), (0, 0), (ph, ph), (pw, pw)])
    rows, columns = (wide.shape[2] - kh) // sh + 1, (wide.shape[3] - kw) // sw + 1
    out = np.zeros((*x.shape[:2], rows, columns))
    for y in range(rows):
        for z in range(columns):
            out[:, :, y, z] = wide[:, :, y * sh : y * sh + kh, z * sw : z * sw + kw].sum((2, 3))
    return out


def simulate(graph, x, dt):
    """Outputs of all nodes by name, (T, B, ...), for x (T, B, C, H, W)."""
    state = {}
    sources = {n: [a for a, b in graph.edges if b == n] for n in graph.nodes}
    order = []
    while len(order) < len(graph.nodes):
        order += [n for n in graph.nodes if n not in order and set(sources[n]) <= set(order)]
    traces = {n: [] for n in order}
    for now in x:
        out = {}
        for name in order:
            node = graph.nodes[name]
            i = sum((out[s] for s in sources[name]), 0.0)
            kind = type(node).__name__
            if kind == "Input":
                y = now.reshape(len(now), *node.input_type["input"])
            elif kind == "Conv2d":
                y = convolve(i, node)
            elif kind == "Affine":
                y = i @ node.weight.T.astype(float) + node.bias
            elif kind == "Linear":
                y = i @ node.weight.T.astype(float)
            elif kind == "Scale":
                y = i * node.scale
            elif kind == "Flatten":
                y = i.reshape(len(i), -1)
            elif kind == "SumPool2d":
                y = pool(i, node)
            elif kind == "AvgPool2d":
                y = pool(i, node) / np.prod(node.kernel_size)
            elif kind == "Threshold":
                y = (i > node.threshold).astype(float)
            elif kind in ("IF", "LIF"):
                v = state.get(name, np.zeros_like(i))
                if kind == "LIF":
                    v = v + dt / node.tau.astype(float) * (node.v_leak - v + node.r * i)
                else:
                    v = v + dt * node.r * i
                y = (v > node.v_threshold).astype(float)
                state[name] = np.where(y > 0, node.v_reset, v)
            else:
                assert kind == "Output"
                y = i
            out[name] = y
            traces[name].append(y)
    return {n: np.stack(t) for n, t in traces.items()}


class Maker:
    """A graph built node by node; shapes follow."""

    def __init__(self, shape, seed=0):
        self.rng = np.random.default_rng(seed)
        self.nodes = {"in": nir.Input(np.array(shape))}
        self.edges, self.shape, self.last = [], tuple(shape), "in"

    def add(self, name, node, shape, *sources):
        self.nodes[name] = node
        self.edges += [(s, name) for s in sources or (self.last,)]
        self.shape, self.last = tuple(shape), name
        return self

    def conv(
        self,
        name,
        out,
        *,
        k=3,
        stride=1,
        padding=1,
        binary=True,
        spread=1.0,
        source=None,
        shape=None,
        weight=None,
    ):
        channels, h, w = shape or self.shape
        normal = self.rng.normal(size=(out, channels, k, k))
        if binary:
            normal = np.sign(normal) * self.rng.uniform(0.5, 1, (out, 1, 1, 1))
        weight = (normal * spread if weight is None else weight).astype(np.float32)
        node = nir.Conv2d(
            input_shape=(h, w),
            weight=weight,
            stride=stride,
            padding=padding,
            dilation=1,
            groups=1,
            bias=self.rng.normal(size=out).astype(np.float32) * 0.3 + 0.6,
        )
        pad = k // 2 if padding == "same" else 0 if padding == "valid" else padding
        sides = [(n + 2 * pad - k) // stride + 1 for n in (h, w)]
        return self.add(name, node, (out, *sides), *([source] if source else []))

    def lif(self, name, *sources, tau=2e-4, r=1.0, threshold=1.0, **other):
        def full(value):
            return np.full(self.shape, value, dtype=np.float32)

        given = {"tau": tau, "r": r, "v_threshold": threshold, "v_leak": 0.0, "v_reset": 0.0}
        node = nir.LIF(**{k: full(v) for k, v in {**given, **other}.items()})
        return self.add(name, node, self.shape, *sources)

    def fires(self, name, *, r=1.0, threshold=1.0):
        shape = self.shape
        node = nir.IF(r=np.full(shape, r), v_threshold=np.full(shape, threshold))
        return self.add(name, node, shape)

    def pool(self, name, kind, k, stride=None, padding=0):
        c, h, w = self.shape
        k, stride, padding = (np.resize(v, 2) for v in (k, stride or k, padding))
        node = kind(kernel_size=k, stride=stride, padding=padding)
        sides = [
            (n + 2 * p - a) // s + 1 for n, p, a, s in zip((h, w), padding, k, stride, strict=True)
        ]
        return self.add(name, node, (c, *sides))

    def flatten(self, name="flat"):
        node = nir.Flatten(input_type=np.array(self.shape), start_dim=0, end_dim=-1)
        return self.add(name, node, (int(np.prod(self.shape)),))

    def affine(self, name, out, *, binary=False, bias=True):
        weight = self.rng.normal(size=(out, self.shape[0]))
        if binary:
            weight = np.sign(weight) * 0.25
        weight = weight.astype(np.float32)
        offset = self.rng.normal(size=out).astype(np.float32) + np.float32(0.5)
        node = nir.Affine(weight=weight, bias=offset) if bias else nir.Linear(weight=weight)
        return self.add(name, node, (out,))

    def scale(self, name, value):
        full = np.broadcast_to(value, self.shape).copy()
        return self.add(name, nir.Scale(scale=full), self.shape)

    def graph(self):
        """With the output; unchecked, so that wrong ones can be had."""
        self.add("out", nir.Output(np.array(self.shape)), self.shape)
        return nir.NIRGraph(nodes=self.nodes, edges=self.edges, type_check=False)

    def write(self, path):
        graph = self.graph()
        nir.write(path, graph)
        return graph
