"""Compiled networks on the interpreter, compared with the golden model."""

import numpy as np

import sw
from sim.interpreter import interpret, recover
from sw.compiler import compile_network, fit_config
from sw.network import Mean
from tests.fixtures import FIXTURES


def load_fixture(name):
    """Return (integer network, images) of a stored network by name."""
    weights = FIXTURES / f"{name}.weights.npz"
    with np.load(FIXTURES / f"{name}.io.npz") as data:
        return sw.load(weights).lower(), data["images"][:2]


def compare(net, config, images):
    """Compile, interpret and compare every tensor and the logits with the golden model.

    Residuals that nobody reads are in no memory, nor are spikes whose pool is written in their
    place, nor what is only summed to a mean while it is made. Returns the program.
    """
    program = compile_network(net, fit_config(net, config))
    golden = net.run(images, trace=True)
    read = {name for layer in net.layers for name in layer.reads()}
    sums = {r.output for layer in net.layers if (r := getattr(layer, "residual", None))}
    pooled = {label.tensor for label in program.labels if label.pooled}
    summed = {label.mean for label in program.labels if label.mean}
    own = [n for n in net.layers if not (isinstance(n, Mean) and n.name in summed)]
    others = {name for layer in own for name in layer.reads()}
    for b, got in enumerate(interpret(program, images)):
        assert got.cycles == program.run_cycles(b)
        if b:
            assert got.instruction_cycles == tuple(f.cycles for f in program.forecast)
        tensors = recover(program, got.events)
        assert set(golden.trace) - set(tensors) == sums - read | pooled | read - others
        for name in set(golden.trace) & set(tensors):
            wanted = golden.trace[name]
            wanted = wanted[b] if wanted.ndim == 2 else wanted[:, b]
            np.testing.assert_array_equal(tensors[name].reshape(wanted.shape), wanted, err_msg=name)
        np.testing.assert_array_equal(got.logits, golden.logits[b])
    return program
