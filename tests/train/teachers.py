"""Runs that are taught, and modules that teach."""

import sys
from itertools import count

import pytest

from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.options import BestformerOptions

TINY = BestformerConfig(height=8, width=8, embed_dim=8, depth=1, heads=2, mlp_ratio=1, steps=2)
OPTIONS = BestformerOptions(
    config=TINY, epochs=2, warmup=1, batch=32, seed=7, validation=30, images=94, teacher="train"
)
names = (f"spikeloom_test_teachers_{i}" for i in count())


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Makes a module of a given source that can be imported, and gives its name."""
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def make(source):
        name = next(names)
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        made.append(name)
        return name

    yield make
    for name in made:
        sys.modules.pop(name, None)


ALWAYS = """
import torch
from torch import nn
class Always(nn.Module):
    def __init__(self, label=3, classes=10):
        super().__init__()
        self.label, self.classes = label, classes
    def forward(self, x):
        assert not torch.is_grad_enabled() and not self.training
        logits = x.new_zeros(len(x), self.classes)
        logits[:, self.label] = 1.0
        return logits
instance = Always(4)
"""
