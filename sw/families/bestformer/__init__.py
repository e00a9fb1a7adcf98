"""BESTformer: configuration, torch model, and reader of checkpoints."""
