"""Families of trained networks: for each its checkpoints' reader and its training."""
