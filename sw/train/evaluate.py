"""Accuracy and spike rates of a network."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sw.families.learner import EVALUATED
from sw.nn.network import Network


def evaluate(
    model: Network,
    images: np.ndarray,
    labels: np.ndarray,
    batch: int = EVALUATED,
    *,
    lengths: np.ndarray | None = None,
) -> tuple[float, dict[str, list[float]]]:
    """Accuracy, and spike rates per neuron and step.

    Parameters
    ----------
    model : Network
        Put into evaluation mode for the measurement, then back.
    images : ndarray
        uint8 (n, C, H, W) or (n, T, C, H, W), n at least 1.
    labels : ndarray
        int64 (n,).
    batch : int
        Images at a time.
    lengths : ndarray, optional
        int64 (n,): frames of each image that count, the first ones; all where there are none.
    """
    modes = [(module, module.training) for module in model.modules()]
    device = next(model.parameters()).device
    model.eval()
    right, sums = 0, {}
    with torch.no_grad():
        for i in range(0, len(images), batch):
            trace: dict[str, Tensor] = {}
            x = model.normalise(torch.from_numpy(images[i : i + batch]).to(device))
            few = _few(lengths, i, batch, device)
            predicted = model.mean_logits(x, trace, few).argmax(1).cpu().numpy()
            right += int((predicted == labels[i : i + batch]).sum())
            for name, spikes in trace.items():
                rates = spikes.reshape(len(spikes), -1).mean(1) * len(predicted)
                sums[name] = sums.get(name, 0.0) + rates.double().cpu()
    for module, training in modes:
        module.training = training
    n = len(images)
    return right / n, {name: [round(float(r), 5) for r in s / n] for name, s in sums.items()}


def _few(lengths: np.ndarray | None, first: int, batch: int, device: Any) -> Tensor | None:
    """The lengths of a batch, where there are any."""
    if lengths is None or not len(lengths):
        return None
    return torch.from_numpy(lengths[first : first + batch]).to(device)
