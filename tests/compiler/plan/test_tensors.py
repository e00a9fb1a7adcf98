"""Who writes and who reads each tensor."""

from sw.compiler.emit import emissions
from sw.compiler.plan.tensors import Uses
from sw.network import Residual, SpikePool
from tests.compiler.nets import conv, mean, network, pixel, refused


def test_mean_of_what_is_not_kept():
    net = network(pixel(), SpikePool(name="pool", source="p"), mean("pool"))
    refused(net, "layer 'pool': a mean can sum spikes of convolutions only, but it reads 'pool'")


def uses(*layers, **options):
    net = network(*layers, **options)
    return net, Uses(net, emissions())


def test_makers_and_readers():
    net, found = uses(
        pixel(),
        conv("a", "p", out=5, residual=Residual(output="r")),
        conv("b", "p", out=5, residual=Residual(output="s", inputs=("r",))),
        mean("s"),
        inputs=5,
        side=(6, 7),
    )
    assert found.maker == {"p": 0, "a.s": 1, "r": 1, "b.s": 2, "s": 2, "mean": 3, "logits": 4}
    assert found.readers == {
        "p": [1, 2],
        "a.s": [],
        "r": [2],
        "b.s": [],
        "s": [3],
        "mean": [4],
        "logits": [],
    }
    assert {name: found.last_use(name) for name in found.maker} == {
        "p": 2,
        "a.s": 1,  # nobody reads it
        "r": 2,
        "b.s": 2,
        "s": 3,
        "mean": 4,
        "logits": 4,
    }
    assert list(found.readers_of("p")) == [net.layers[1], net.layers[2]]
    assert found.shape["p"] == (8, 6, 7)
    assert found.shape["r"] == found.shape["s"] == (5, 6, 7)
    assert found.shape["mean"] == (5,)


def test_stored_and_kept():
    """What means alone read is kept in residual memory and nowhere else."""
    net, found = uses(
        pixel(),
        conv("a", "p"),
        conv("b", "a.s"),
        mean("a.s"),
        mean("b.s", name="other"),
        sources=("mean", "other"),
        inputs=16,
    )
    *_, first, second, _ = net.layers
    assert [found.stored(name) for name in ("p", "a.s", "b.s")] == [True, True, False]
    assert [found.kept(layer) for layer in net.layers] == [None, "a.s", "b.s", None, None, None]
    assert found.sums("a.s") == [first]
    assert found.sums("b.s") == [second]
    assert found.sums("p") == []


def test_spikes_that_nobody_reads_are_stored():
    _, found = uses(pixel(), conv("a", "p"), conv("b", "p"), mean("b.s"))
    assert found.stored("a.s")


def test_residual_that_somebody_reads():
    read = conv("a", "p", residual=Residual(output="r"))
    unread = conv("b", "a.s", residual=Residual(output="s", inputs=("r",)))
    net, found = uses(pixel(), read, unread, mean("b.s"))
    assert [found.residual(layer) for layer in net.layers] == [None, "r", None, None, None]


def test_error_names_network_and_layer():
    _, found = uses(pixel(), mean("p"))
    assert str(found.fail("x", "why")) == "network 'hand', layer 'x': why"
