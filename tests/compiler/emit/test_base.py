"""What an emission does unless it says otherwise."""

import numpy as np
import pytest

from hw.arch.config import Config
from sw.compiler.emit import EMISSIONS
from sw.compiler.emit.base import Emission
from sw.compiler.plan.kind import Kind
from sw.network import Mean
from tests.compiler.emit.made import mapped
from tests.compiler.nets import conv, mean, network, pixel


def test_defaults():
    emission = Emission()
    assert isinstance(emission, Kind)
    assert emission.late is False
    mapper = mapped(network(pixel(), conv("a", "p"), mean("a.s")))
    before = mapper.constants.size, len(mapper.words)
    emission.constants(mapper.constants, mapper.net.layers[0])
    assert (mapper.constants.size, len(mapper.words)) == before
    with pytest.raises(NotImplementedError):
        emission.emit(mapper, mapper.net.layers[0])


def test_constants_of_means_alone_come_late():
    assert [e.layer for e in EMISSIONS if e.late] == [Mean]
    net = network(pixel(), conv("a", "p"), mean("a.s"))
    constants = mapped(net, Config(means=0)).constants
    assert constants.params["mean"] == max(*constants.params.values(), *constants.weights.values())
    assert constants.params["mean"] + 2 == constants.size
    assert np.shape(constants.image)[1] == constants.size
    summed = mapped(net).constants  # by the lanes: its two words stand before the layer's own
    assert "mean" not in summed.params
    assert (summed.params["a"], summed.size) == (constants.params["a"], constants.size)
