"""A run of few batches, in whose phases something happens."""

from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.options import BestformerOptions

TINY = BestformerConfig(height=8, width=8, embed_dim=16, depth=1, heads=2, mlp_ratio=1, steps=2)
OPTIONS = BestformerOptions(
    config=TINY, epochs=3, rounded=0, warmup=1, batch=32, seed=7, validation=30, images=130
)
