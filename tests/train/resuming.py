"""Runs that are interrupted, and what they wrote."""

import json

from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.options import BestformerOptions
from sw.train.loop import train
from sw.train.state import state_path

TINY = BestformerConfig(height=8, width=8, embed_dim=8, depth=1, heads=2, mlp_ratio=1, steps=2)
OPTIONS = BestformerOptions(
    config=TINY, epochs=3, rounded=1, warmup=1, batch=32, seed=7, validation=30, images=130
)
BATCHES = 3  #: Of an epoch: 100 images.


def after(*steps):
    """A pause after each of so many steps of all calls together, and their count."""
    count = [0]

    def pause():
        count[0] += 1
        return count[0] in steps

    return pause, count


def written(out):
    """What a run leaves: its weights, and its notes less the seconds."""
    fields = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    del fields["seconds"]
    return out.read_bytes(), fields


def interrupted(options, out):
    """A run paused in its second epoch."""
    assert train(options, out, pause=after(BATCHES + 1)[0]) is None
    return state_path(out)
