"""Q-SNN in torch: keys, equality with the fixture and with ``sw.load``, gradients, losses."""

import json

import numpy as np
import pytest
import torch

import sw
from hw.common.errors import SpikeloomError
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.layers import QuantConv2d
from sw.families.qsnn.model import Qsnn, loss, mean_steps, rate_loss
from sw.train.checkpoint import load_checkpoint, save_checkpoint
from tests.families.qsnn.nets import SMALL
from tests.fixtures import FIXTURES

MNIST = QsnnConfig(height=28, width=28)  # of the fixture q8
each = pytest.mark.parametrize("config", SMALL.values(), ids=list(SMALL))


def archive(part):
    path = FIXTURES / f"q8.{part}.npz"
    if not path.is_file():
        pytest.skip(f"missing fixture: {path} (CI must have it)")
    with np.load(path) as arrays:
        return dict(arrays)


def lively(config, seed=0):
    """A random model in evaluation mode whose neurons fire: BatchNorms as after training."""
    torch.manual_seed(seed)
    model = Qsnn(config)
    x = model.normalise(images(config, 16))
    for _ in range(30):
        model(x)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.2, 0.9)
    return model.eval()


def images(config, count):
    shape = (count, config.channels, config.height, config.width)
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    return torch.from_numpy(pixels)


def test_state_dict_keys_and_shapes_are_the_authors():
    own = {k: tuple(v.shape) for k, v in Qsnn(MNIST).state_dict().items()}
    assert own == {k: v.shape for k, v in archive("weights").items()}


def test_logits_and_spikes_of_the_fixture():
    model = Qsnn(MNIST)
    model.load_state_dict({k: torch.from_numpy(v) for k, v in archive("weights").items()})
    io, spikes = archive("io"), archive("spikes_alpha1")
    trace = {}
    with torch.no_grad():
        x = model.eval().normalise(torch.from_numpy(io["images"])[:, None])
        logits = model(x, trace).numpy()
    np.testing.assert_allclose(logits, io["logits_t_alpha1"], rtol=0, atol=1e-4)
    rows = spikes.pop("image_rows")
    assert list(trace) == list(spikes)
    for name, want in spikes.items():
        np.testing.assert_array_equal(trace[name][:, rows].numpy(), want, name)


@each
def test_exported_checkpoint_loads_with_equal_logits(tmp_path, config):
    model, path = lively(config), tmp_path / "net.safetensors"
    save_checkpoint(model, path, {"name": "q"})
    pixels = images(config, 5)
    frames = pixels[:, None].repeat(1, config.steps, 1, 1, 1)
    frames[:, -1] = 255 - frames[:, -1]
    net = sw.load(path)
    assert (net.name, net.size) == ("q", (config.height, config.width))
    again, fields = load_checkpoint(path)
    assert again.config == config
    assert json.loads(json.dumps(config.to_json())).items() <= fields.items()
    for given in (pixels, frames):
        trace = {}
        with torch.no_grad():
            want = model(model.normalise(given), trace)
            torch.testing.assert_close(again(again.normalise(given)), want, rtol=0, atol=0)
        got = net.run(given.numpy(), trace=True)
        assert list(got.trace) == list(trace)
        for name, spikes in trace.items():
            assert 0.005 < spikes.mean() < 0.95, name
            np.testing.assert_array_equal(got.trace[name], spikes.numpy(), name)
        np.testing.assert_allclose(got.logits, want.mean(0).numpy(), rtol=0, atol=1e-5)


def test_a_file_of_all_aliases_loads_too(tmp_path):
    model = lively(SMALL["residual"])
    torch.save({"state_dict": model.state_dict(), "epoch": 1}, tmp_path / "net.pth.tar")
    (tmp_path / "net.json").write_text(json.dumps(model.config.to_json()), encoding="utf-8")
    pixels = images(model.config, 3)
    with torch.no_grad():
        want = model(model.normalise(pixels)).mean(0).numpy()
    got = sw.load(tmp_path / "net.pth.tar").run(pixels.numpy()).logits
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def test_published_sizes():
    with torch.device("meta"):
        for config, blocks, stem in (
            (QsnnConfig.resnet19(), 8, (128, 3, 3, 3)),
            (QsnnConfig.resnet18(classes=1000), 8, (64, 3, 7, 7)),
        ):
            state = Qsnn(config).state_dict()
            assert state["conv1.weight"].shape == stem
            assert sum(k.endswith("conv2.weight") for k in state) == blocks
            binary = {k: v for k, v in state.items() if ".conv" in k or "downsample.layer" in k}
            own = {k: v for k, v in binary.items() if "_s." not in k}
            assert all(v.ndim == 4 for v in own.values())
    assert QsnnConfig.resnet19().grid == (8, 8)
    assert QsnnConfig.resnet18().grid == (7, 7)


def test_every_parameter_learns():
    for config in SMALL.values():
        torch.manual_seed(0)
        model, trace = Qsnn(config), {}
        x = model.normalise(images(config, 8))
        logits = model(x, trace)
        loss(logits, torch.arange(8) % config.classes, trace).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().sum() > 0 or name.endswith("0.bias"), name


def test_training_fits_a_few_images():
    torch.manual_seed(0)
    config = QsnnConfig(widths=(8, 16), blocks=(1, 1), height=8, width=8, classes=4)
    model = Qsnn(config).train()
    x, labels = model.normalise(images(config, 16)), torch.arange(16) % 4
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for step in range(40):
        model.anneal(step / 40)
        trace = {}
        value = loss(model(x, trace), labels, trace)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        losses.append(value.item())
    assert losses[-1] < 0.5 * losses[0], losses[:: len(losses) // 8]


def test_losses():
    trace = {"a": torch.tensor([1.0, 0.0, 0.0, 0.0]), "b": torch.ones(4)}
    assert rate_loss(trace).item() == pytest.approx((0.25**2 + 0.5**2) / 2)
    logits = torch.randn(3, 4, 5)
    labels = torch.tensor([0, 1, 2, 4])
    steps = [torch.nn.functional.cross_entropy(step, labels) for step in logits]
    want = torch.stack(steps).mean() + 5e-3 * rate_loss(trace)
    torch.testing.assert_close(loss(logits, labels, trace), want)


def test_only_the_first_frames_count():
    logits = torch.randn(3, 2, 5)
    labels, lengths = torch.tensor([4, 1]), torch.tensor([1, 3])
    few = [logits[: lengths[n], n] for n in (0, 1)]
    want = torch.stack([each.mean(0) for each in few])
    torch.testing.assert_close(mean_steps(logits, lengths), want)
    torch.testing.assert_close(mean_steps(logits, None), logits.mean(0))
    cross = torch.nn.functional.cross_entropy
    parts = [cross(each, label.expand(len(each))) for each, label in zip(few, labels, strict=True)]
    trace = {"a": torch.ones(4)}
    got = loss(logits, labels, trace, 0.5, lengths=lengths)
    torch.testing.assert_close(got, torch.stack(parts).mean() + 0.5 * rate_loss(trace))
    whole = torch.tensor([3, 3])
    torch.testing.assert_close(
        loss(logits, labels, trace, lengths=whole), loss(logits, labels, trace)
    )
    model = lively(SMALL["vgg of one pixel"])
    x = model.normalise(torch.randint(0, 256, (2, 3, 5, 1, 1)))
    with torch.no_grad():
        torch.testing.assert_close(
            model.mean_logits(x, None, lengths), mean_steps(model(x), lengths)
        )


def test_spike_rate_loss_reaches_the_weights():
    model, trace = Qsnn(SMALL["residual"]), {}
    model(model.normalise(images(model.config, 4)), trace)
    rate_loss(trace).backward()
    first = next(m for m in model.modules() if isinstance(m, QuantConv2d))
    assert first.weight.grad is not None
    assert first.weight.grad.abs().sum() > 0


def test_wrong_input():
    with pytest.raises(SpikeloomError, match="Q-SNN input: shape"):
        Qsnn(MNIST)(torch.zeros(1, 1, 27, 28))
