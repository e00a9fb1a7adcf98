"""Every layer kind has one emission, and a table that has not is refused."""

import pytest

from hw.arch import SpikeloomError
from sw.compiler.emit import EMISSIONS, base, emissions, kinds
from sw.compiler.emit.pool import PoolEmission
from sw.network import Mean, SpikePool
from sw.network.layers import layer_kinds


def test_every_kind_has_its_emission():
    found = emissions()
    assert set(found) == set(layer_kinds())
    assert all(found[kind].layer is kind for kind in found)
    assert sorted(map(id, found.values())) == sorted(map(id, EMISSIONS))


class Nothing(base.Emission[SpikePool]):
    """No emit."""

    layer = SpikePool


class Stranger(base.Emission):
    """A layer that is none."""

    layer = int

    def emit(self, m, layer, part=None):
        """Do nothing."""


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ((*EMISSIONS, PoolEmission()), "emission PoolEmission: layer kind SpikePool has another"),
        (EMISSIONS[1:], "layer kind PixelConv: has no emission; add one to EMISSIONS"),
        (
            (Nothing(), *(e for e in EMISSIONS if e.layer is not SpikePool)),
            "emission Nothing: has no emit; state how SpikePool runs",
        ),
        ((Stranger(), *EMISSIONS), "emission Stranger: its layer .* is no layer kind of KINDS"),
        ((base.Emission(), *EMISSIONS), "emission Emission: its layer None is no layer kind"),
        ((Mean, *EMISSIONS), "emission type: its layer None is no layer kind of KINDS"),
    ],
)
def test_tables_that_are_refused(monkeypatch, table, message):
    monkeypatch.setattr(kinds, "EMISSIONS", tuple(table))
    with pytest.raises(SpikeloomError, match=message):
        emissions()
