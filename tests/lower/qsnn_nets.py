"""Made-up Q-SNNs whose BatchNorms fit their inputs, as float networks."""

import numpy as np
import torch
from torch import nn

import sw
from sw import graph as g
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.model import Qsnn
from sw.train.checkpoint import save_checkpoint


def qsnn(folder, seed=0, **fields):
    """Random weights; scales of both signs, statistics of random images."""
    config = QsnnConfig(**fields)
    torch.manual_seed(seed)
    model = Qsnn(config)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.4, 1.2)
            module.weight.data *= torch.where(torch.rand_like(module.weight) < 0.3, -1.0, 1.0)
            nn.init.uniform_(module.bias, -0.3, 0.9)
            module.momentum = None  # a plain average
    with torch.no_grad():
        model.train()
        for _ in range(4):
            model(model.normalise(torch.from_numpy(pictures(config, 16, seed))))
    model.eval()
    save_checkpoint(model, folder / "net.safetensors")
    return sw.load(folder / "net.safetensors")


def pictures(config, count, seed=0):
    """Smooth random images uint8 (count, C, H, W)."""
    rng = np.random.default_rng(seed)
    shape = (count, config.channels, config.height, config.width)
    rough = rng.uniform(0, 255, shape)
    smooth = sum(np.roll(rough, (i, j), (2, 3)) for i in range(3) for j in range(3)) / 9
    return np.clip(2 * (smooth - 127) + 127, 0, 255).astype(np.uint8)


def identity(name, source, channels=1, *, weight=1.0, bias=0.0):
    """A BatchNorm that is weight * x + bias."""
    ones = np.ones(channels, dtype=np.float32)
    return g.BatchNorm(
        name=name,
        source=source,
        weight=weight * ones,
        bias=bias * ones,
        mean=0 * ones,
        var=ones,
        eps=0.0,
    )


def neuron(name, source, **changes):
    """A Q-SNN neuron of 8 bits."""
    fields = {"decay_input": False, "strict": True, "state_bits": 8, **changes}
    return g.LIF(name=name, source=source, **fields)


def single(drive, *, bias=0.0, side=1, steps=3, middle=(), last="s", classes=1, **changes):
    """x = drive * pixel / 255 + bias into one neuron "s", then ``middle``, flattened to logits."""
    weight = np.full((1, 1, 1, 1), drive, dtype=np.float32)
    nodes = (
        g.Conv(name="c", source=g.IMAGE, weight=weight, binary=False),
        identity("b", "c", bias=bias),
        neuron("s", "b", **changes),
        *middle,
        g.Flatten(name="f", source=last),
        g.Linear(
            name="l",
            source="f",
            weight=np.ones((classes, side * side), dtype=np.float32),
            bias=np.zeros(classes, dtype=np.float32),
            weight_bits=8,
        ),
        g.MeanSteps(name="logits", source="l"),
    )
    return sw.FloatNetwork(
        name="single",
        nodes=nodes,
        steps=steps,
        channels=1,
        classes=classes,
        mean=(0.0,),
        std=(1.0,),
        size=(side, side),
    )
