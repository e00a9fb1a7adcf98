"""Q-SNN: configuration, torch model, and reader of checkpoints."""
