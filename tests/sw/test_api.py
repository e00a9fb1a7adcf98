"""The face: each verb is that of its stage, and what it returns has the next verbs."""

import dataclasses
import inspect

import numpy as np
import pytest

import sw
from hw.arch.config import Config
from hw.common.errors import SpikeloomError
from sw import api, golden, graph, network
from sw.compiler import compile_network
from sw.frontend import load as read_checkpoint
from sw.network import storage
from sw.testing import random_images, random_network, random_residual_network
from tests.networks import SMALL, edited

STREAM = {
    "height": 8, "width": 8, "channels": 1, "steps": 1, "classes": 3, "widths": (8, 8), "bits": 4
}  # fmt: skip


@pytest.fixture
def plain():
    """An integer network without verbs."""
    return network.IntegerNetwork(**vars(random_network(1, **SMALL)))


def test_the_package_offers_the_face():
    assert sw.load is api.load
    assert (sw.FloatNetwork, sw.IntegerNetwork) == (api.FloatNetwork, api.IntegerNetwork)
    assert inspect.signature(sw.load) == inspect.signature(read_checkpoint)


def test_networks_are_dressed_with_their_verbs(plain):
    assert type(plain) is network.IntegerNetwork
    made = api.IntegerNetwork.of(plain)
    assert type(made) is api.IntegerNetwork
    assert vars(made).keys() == vars(plain).keys()
    assert all(vars(made)[name] is value for name, value in vars(plain).items())
    assert api.IntegerNetwork.of(made) is made
    assert type(made.replace(name="other")) is api.IntegerNetwork
    bare = graph.FloatNetwork(**vars(sw.load("digits")))
    net = api.FloatNetwork.of(bare)
    assert type(net) is api.FloatNetwork
    assert net.nodes is bare.nodes
    assert api.FloatNetwork.of(net) is net


def test_running_is_the_golden_model(plain):
    images = random_images(plain, 3)
    got = api.IntegerNetwork.of(plain).run(images, True, batch=2, kind="plain")
    want = golden.run(plain, images, True)
    assert got.logits.tolist() == want.logits.tolist()
    assert got.trace.keys() == want.trace.keys() != set()


@pytest.mark.parametrize("config", [None, Config(rows=8)])
def test_compiling_is_the_compiler(plain, config):
    got, want = api.IntegerNetwork.of(plain).compile(config), compile_network(plain, config)
    assert got.config == want.config
    assert got.load_stream().tolist() == want.load_stream().tolist()


def test_files_are_those_of_storage(plain, tmp_path):
    api.IntegerNetwork.of(plain).save(tmp_path / "a.npz")
    storage.save(plain, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert type(api.IntegerNetwork.load(tmp_path / "a.npz")) is api.IntegerNetwork


def test_lowering_takes_every_option():
    net = sw.load("digits")
    made = net.lower(frac_bits=11, size=(16, 16))
    assert type(made) is api.IntegerNetwork
    assert made.frac_bits == 11
    frames = np.zeros((1, net.channels, 24, 16), np.uint8)
    assert net.lower(frames).height == 24


def test_a_saved_network_is_read_and_any_other_is_lowered(tmp_path):
    saved = random_network(1, **SMALL)
    saved.save(tmp_path / "net.npz")
    got = api.read_network(str(tmp_path / "net.npz"))
    assert (type(got), got.name) == (api.IntegerNetwork, saved.name)
    assert api.read_network("digits").meta == sw.load("digits").lower().meta
    np.savez(tmp_path / "weights.npz", a=np.zeros(1))
    with pytest.raises(SpikeloomError, match=r"weights\.npz"):  # of the frontend
        api.read_network(str(tmp_path / "weights.npz"))


def test_streams_are_asked_for(tmp_path):
    kept = random_residual_network(1, **STREAM, stream=True)
    kept.save(tmp_path / "stream.npz")
    for asked in (True, False):
        assert api.read_network(str(tmp_path / "stream.npz"), asked).stream
    random_network(1, **SMALL).save(tmp_path / "net.npz")
    with pytest.raises(SpikeloomError, match=r"net\.npz' was lowered for whole images, not for a"):
        api.read_network(str(tmp_path / "net.npz"), True)
    assert api.read_network("digits-qsnn", True).stream
    assert not api.read_network("digits-qsnn").stream
    assert api.read_network("vowels-qsnn").stream  # trained on sequences


def test_the_origin_of_a_program(tmp_path):
    mine, path = random_network(1, **SMALL), str(tmp_path / "net.npz")
    mine.save(path)
    program = mine.compile()
    assert api.read_origin(program, path).name == mine.name
    random_network(1, **SMALL | {"classes": 5}).save(path)
    with pytest.raises(SpikeloomError, match=r"is not the one that program .*classes 5 .program 3"):
        api.read_origin(program, path)
    program.save(tmp_path / "program.npz")
    with pytest.raises(SpikeloomError, match=r"program\.npz' is a compiled program; give the netw"):
        api.read_origin(program, str(tmp_path / "program.npz"))


def test_the_origin_of_a_stream_is_lowered_as_one():
    program = sw.load("digits-qsnn").lower(stream=True).compile()
    assert api.read_origin(program, "digits-qsnn").stream


def test_sequences_are_streams_of_their_own():
    pytest.importorskip("torch")
    net = sw.load("vowels-qsnn")
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (4, 6, 12, 1, 1), dtype=np.uint8)
    lengths = np.array([6, 2, 2, 5])
    q = net.lower()
    whole, real = q.run_sequences(frames, lengths), net.run_sequences(frames, lengths)
    assert whole.scale == q.head.scale
    for n, length in enumerate(lengths):
        few = frames[n, :length]
        assert (whole.logits[n] == q.run(few).logits.sum(axis=0)).all()
        alone = dataclasses.replace(net, steps=int(length)).run(few[None])
        np.testing.assert_allclose(real.logits[n], length * alone.logits[0], atol=1e-4)
    np.testing.assert_allclose(whole.logits * whole.scale, real.logits, atol=1e-2)
    plain = sw.load("digits-qsnn").lower()
    with pytest.raises(SpikeloomError, match="digits-qsnn: sequences are run as streams, and this"):
        plain.run_sequences(np.zeros((1, 2, 1, 16, 16), np.uint8), [2])


def test_float_runs_have_their_options():
    pytest.importorskip("torch")
    net = sw.load("digits-qsnn")
    images = np.random.default_rng(0).integers(0, 256, (3, 1, *net.size)).astype(np.uint8)
    got = net.run(images, trace="all", batch=2)
    assert got.logits.shape == (3, 10)
    assert got.trace.keys() == {node.name for node in net.nodes}
    alphas = net.measure_alpha(images, batch=2)
    assert alphas.keys() == {n.name for n in net.nodes if isinstance(n, graph.LIF)}
    assert type(net.with_alpha(alphas)) is api.FloatNetwork


def test_an_edited_network_keeps_its_verbs():
    made = random_network(1, **SMALL)
    assert type(edited(made, 0, name="first")) is api.IntegerNetwork
