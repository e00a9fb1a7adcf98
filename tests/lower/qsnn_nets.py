"""Made-up Q-SNNs whose BatchNorms fit their inputs, as float networks."""

import dataclasses

import numpy as np
import torch
from torch import nn

import sw
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.model import Qsnn
from sw.train.checkpoint import save_checkpoint

RESIDUAL = {"widths": (16, 32), "blocks": (1, 2), "height": 14, "width": 17, "channels": 2}
WIDE = {
    "widths": (8, 16, 32),
    "blocks": (1, 1, 1),
    "stem": 7,
    "height": 32,
    "width": 27,
    "channels": 3,
    "mean": (0.4, 0.5, 0.6),
    "std": (0.2, 0.3, 0.25),
}
POOLED = {
    "net": "vgg",
    "widths": (16, 32, 32),
    "halve": (1, 2),
    "height": 15,
    "width": 13,
    "channels": 3,
    "steps": 4,
}
STRIDED = {**POOLED, "downsampling": "stride"}
KINDS = {"residual": RESIDUAL, "wide": WIDE, "pooled": POOLED, "strided": STRIDED}


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


def changed(net, name, **fields):
    """``net`` with other fields of the node called ``name``."""
    nodes = (dataclasses.replace(n, **fields) if n.name == name else n for n in net.nodes)
    return dataclasses.replace(net, nodes=tuple(nodes))
