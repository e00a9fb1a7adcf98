"""Small whole files of every kind that a reader takes, made on the fly."""

import importlib.util
import io
import json
from pathlib import Path

import numpy as np

from sw.compiler import compile_network, fit_config
from sw.frontend import weights
from sw.testing import random_network
from tests import networks
from tests.frontend.states import make_state

SIDE = {"mean": [0.5], "std": [0.5], "image_size": [12, 12], "name": "net", "steps": 2}
SMALL = networks.SMALL | {"height": 6, "width": 6, "dim": 8, "heads": 1, "mlp_ratio": 1}


def have(package: str) -> bool:
    """Whether a package is installed."""
    return importlib.util.find_spec(package) is not None


def make(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Kind -> (file name, content). A side file's network lies beside it, ``net.npz``."""
    state = {k: v for k, v in make_state(0, dim=8, heads=1, classes=3, steps=2).items() if v.ndim}
    np.savez(folder / "plain.npz", **state)
    plain = (folder / "plain.npz").read_bytes()
    found = {
        "npz": ("net.npz", plain),
        "safetensors": ("net.safetensors", weights.seal(state)),
        "side": ("net.json", json.dumps(SIDE).encode()),
    }
    if have("torch"):
        import torch

        tensors = {k: torch.from_numpy(v) for k, v in state.items()}
        held = {"state_dict": tensors, "epoch": 3, "curve": np.arange(4.0), "best": np.float64(1)}
        for kind, new in (("torch", True), ("legacy", False)):
            data = io.BytesIO()
            torch.save(held if new else tensors, data, _use_new_zipfile_serialization=new)
            found[kind] = ("net.pt" if new else "net.pth", data.getvalue())
    network = random_network(1, **SMALL)
    network.save(folder / "network.npz")
    found["network"] = ("network.npz", (folder / "network.npz").read_bytes())
    from hw.arch import Config

    compile_network(network, fit_config(network, Config())).save(folder / "program.npz")
    found["program"] = ("program.npz", (folder / "program.npz").read_bytes())
    if have("nir") and have("h5py"):
        found["nir"] = ("net.nir", _nir(folder))
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    data = io.BytesIO()
    np.save(data, pixels)
    found["npy"] = ("image.npy", data.getvalue())
    found["pgm"] = ("image.pgm", b"P5\n# drawn\n8 8\n255\n" + pixels.tobytes())
    found["pgm-text"] = ("image.pgm", b"P2 8 8 255\n" + " ".join(map(str, pixels.ravel())).encode())
    if have("PIL"):
        from PIL import Image

        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "PNG")
        found["png"] = ("image.png", data.getvalue())
    return found


def _nir(folder: Path) -> bytes:
    """A graph of one convolution, a neuron and a linear layer."""
    import nir

    conv = np.random.default_rng(0).normal(size=(4, 1, 3, 3)).astype(np.float32)
    ones = np.ones((4, 6, 6), np.float32)
    graph = nir.NIRGraph(
        nodes={
            "input": nir.Input(input_type={"input": np.array([1, 6, 6])}),
            "conv": nir.Conv2d(
                input_shape=(6, 6),
                weight=conv,
                stride=1,
                padding=1,
                dilation=1,
                groups=1,
                bias=np.zeros(4, np.float32),
            ),
            "lif": nir.LIF(tau=ones, r=ones, v_leak=0 * ones, v_threshold=ones),
            "flatten": nir.Flatten(
                input_type={"input": np.array([4, 6, 6])}, start_dim=0, end_dim=-1
            ),
            "fc": nir.Affine(weight=np.ones((3, 144), np.float32), bias=np.zeros(3, np.float32)),
            "output": nir.Output(output_type={"output": np.array([3])}),
        },
        edges=[
            ("input", "conv"),
            ("conv", "lif"),
            ("lif", "flatten"),
            ("flatten", "fc"),
            ("fc", "output"),
        ],
    )
    nir.write(str(folder / "seed.nir"), graph)
    return (folder / "seed.nir").read_bytes()
