"""Events and the way back from them to tensors."""

from hw.arch.config import Config
from sim.interpreter import interpret, locate
from sw.compiler import compile_network, fit_config
from sw.testing import random_images, random_network


def test_locate_names_layer_step_token_and_channel(small):
    net = random_network(4, **small)
    program = compile_network(net, fit_config(net, Config()))
    events = next(interpret(program, random_images(net, 1))).events
    place = locate(program, "row", events.row[0])
    assert (place.layer, place.step, place.token, place.channel) == (net.layers[0].name, 0, 0, 0)
    last = locate(program, "res", events.res[-1])
    assert last.tensor == "block.0.x3"
    assert last.step == net.steps - 1
    assert "layer" in str(last)
