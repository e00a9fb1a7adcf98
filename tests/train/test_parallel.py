"""Training in two processes on the CPU, and the pieces of it on their own."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from hw.common.errors import SpikeloomError
from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.model import Bestformer
from sw.families.bestformer.options import BestformerOptions
from sw.families.bestformer.training import BestformerLearner
from sw.train import loop, parallel, run
from sw.train.loop import train
from sw.train.parallel import Processes

REPO = Path(__file__).resolve().parents[2]
TINY = BestformerConfig(height=8, width=8, embed_dim=8, depth=1, heads=2, mlp_ratio=1, steps=1)
OPTIONS = BestformerOptions(config=TINY, epochs=1, warmup=0, batch=32, validation=30, images=94)
WORDS = (
    "--size 8 --embed-dim 8 --depth 1 --heads 2 --mlp-ratio 1 --steps 1 --epochs 2 --rounded 1 "
    "--warmup 0 --ema 0.9 --images 94 --validation 30 --batch 32 --device cpu --teacher train "
    "--teacher-epochs 1"
).split()


def of_two(monkeypatch, rank=0):
    """Process ``rank`` of two, whose reductions add a tensor of their own."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", str(rank))
    return Processes("cpu")


TORCHRUN = "-m torch.distributed.run --standalone --nproc-per-node 2 -m sw.train".split()
MANY = """
import sys
from sw.train import __main__
words = sys.argv[1:]
status = [__main__.run([*words, "--minutes", "1e-9"]) for _ in range(3)]
print(status, __main__.run([*words, "--resume"]))
"""  #: Teacher's first step and second, student's first; then all the rest.


def environment(**more):
    return os.environ | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"} | more


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


#: Nothing measures the statistics anew, which differ between processes within an epoch.
PLAIN = ["--teacher", "", "--ema", "0", "--rounded", "0", "--tensorboard", "plots"]


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without processes")
@pytest.mark.parametrize("more", [[], PLAIN], ids=["all", "plain"])
def test_two_processes_make_one_network_and_resume(tmp_path, more):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    done = subprocess.run(  # without --log, which torchrun takes for one of its own
        [sys.executable, *TORCHRUN, *WORDS, *more, "--out", str(whole)],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test accuracy") == 1  # the first process speaks
    fields = json.loads(whole.with_suffix(".json").read_text(encoding="utf-8"))
    assert (fields["processes"], fields["device"]) == (2, "cpu")
    assert [h["epoch"] for h in fields["history"]] == [1, 2]
    folder = tmp_path / ("plots" if more else "runs/whole")
    assert (folder / "curves.png").is_file()

    # the same in several calls: the states of both processes' RNGs count
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", MANY, *WORDS, *more, "--log", "", "--out", str(parts)],
            cwd=tmp_path,
            env=environment(RANK=str(rank), **place),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        for rank in (0, 1)
    ]
    try:
        said = [worker.communicate(timeout=120) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert [out.splitlines()[-1] for out, _ in said] == ["[3, 3, 3] 0"] * 2
    assert parts.read_bytes() == whole.read_bytes()
    if more:
        return
    teachers = [path.with_name(f"{path.stem}-teacher.safetensors") for path in (whole, parts)]
    assert teachers[0].read_bytes() == teachers[1].read_bytes()


def test_average_is_the_mean_over_processes(monkeypatch):
    team = of_two(monkeypatch)
    other = torch.arange(7.0)

    def all_reduce(tensor):
        assert tensor.shape == (7,)
        tensor += other

    monkeypatch.setattr(parallel.dist, "all_reduce", all_reduce)
    a, b = torch.full((2, 2), 10.0, requires_grad=True), torch.full((3,), 20.0)
    count = torch.tensor(5)
    team.average([a, None, count, b])
    assert a.tolist() == [[5.0, 5.5], [6.0, 6.5]]
    assert b.tolist() == [12.0, 12.5, 13.0]
    assert count == 5  # whole numbers stay as they are


def test_gradients_and_statistics_are_averaged(monkeypatch):
    team = of_two(monkeypatch, rank=1)
    monkeypatch.setattr(parallel.dist, "all_reduce", lambda tensor: tensor.mul_(3.0))
    linear, norm = nn.Linear(2, 3), nn.BatchNorm1d(3)
    model = nn.Sequential(linear, norm)
    model(torch.rand(4, 2)).square().sum().backward()
    assert linear.weight.grad is not None
    assert norm.running_var is not None
    linear.bias.grad = None
    norm.running_var.fill_(2.0)
    gradient = linear.weight.grad.clone()
    team.average_gradients(model)
    assert torch.equal(linear.weight.grad, gradient * 1.5)
    assert linear.bias.grad is None
    team.average_statistics(model)
    assert norm.running_var.tolist() == [3.0] * 3
    assert norm.num_batches_tracked == 1


def test_processes_share_every_batch(monkeypatch):
    rows = torch.arange(7)
    shares = [of_two(monkeypatch, rank).share(rows).tolist() for rank in (0, 1)]
    assert shares == [[0, 2, 4, 6], [1, 3, 5]]
    assert of_two(monkeypatch, 0).first
    assert not of_two(monkeypatch, 1).first


def alone_of(monkeypatch, count, rank):
    """One of so many processes, which hears itself from all the others."""
    monkeypatch.setenv("WORLD_SIZE", str(count))
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setattr(parallel.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(parallel.dist, "all_reduce", lambda tensor: tensor.mul_(float(count)))
    monkeypatch.setattr(parallel.dist, "barrier", lambda: None)

    def all_gather_object(found, value):
        found[:] = [value] * count

    monkeypatch.setattr(parallel.dist, "all_gather_object", all_gather_object)


def test_averaged_gradients_are_those_of_the_whole_batch(monkeypatch):
    torch.manual_seed(0)
    model = Bestformer(TINY).eval()  # no statistics of a batch
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.bias.fill_(1.0)
    x, labels = torch.randn(8, 1, 8, 8), torch.arange(8)

    def gradients(rows):
        model.zero_grad(set_to_none=True)
        logits = model.mean_logits(x[rows])
        nn.functional.cross_entropy(logits, labels[rows]).backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    whole = gradients(torch.arange(8))
    teams = [of_two(monkeypatch, rank) for rank in (0, 1)]
    own, others = (gradients(team.share(torch.arange(8))) for team in reversed(teams))
    gradients(teams[0].share(torch.arange(8)))  # of process 0, which hears process 1
    flat = torch.cat([g.flatten() for g in own.values()])
    monkeypatch.setattr(parallel.dist, "all_reduce", lambda tensor: tensor.add_(flat))
    teams[0].average_gradients(model)
    assert any(not torch.equal(own[n], others[n]) for n in own)
    for name, p in model.named_parameters():
        if name in whole:
            torch.testing.assert_close(p.grad, whole[name], rtol=1e-4, atol=1e-7)
    assert sum(bool(g.abs().sum() > 0) for g in whole.values()) > len(whole) / 2


def test_processes_start_alike_and_augment_apart(monkeypatch, tmp_path):
    seen, real = [], BestformerLearner.loss

    def loss(self, x, labels, progress, lengths=None):
        seen.append((x.clone(), self.model.head.weight.detach().clone(), torch.initial_seed()))
        return real(self, x, labels, progress)

    monkeypatch.setattr(BestformerLearner, "loss", loss)
    for rank in (0, 1):
        alone_of(monkeypatch, 2, rank)
        train(OPTIONS, tmp_path / f"{rank}.safetensors", pause=lambda: True)
    (x, weight, seed), (other_x, other_weight, other_seed) = seen
    assert torch.equal(weight, other_weight)
    assert seed != other_seed
    assert not torch.equal(x, other_x)


def test_statistics_are_averaged_before_they_are_measured(monkeypatch, tmp_path):
    alone_of(monkeypatch, 2, 0)
    seen, average, evaluate = [], Processes.average_statistics, loop.evaluate
    monkeypatch.setattr(
        Processes, "average_statistics", lambda *a: (seen.append("average"), average(*a))[1]
    )
    for module in (loop, run):
        monkeypatch.setattr(
            module, "evaluate", lambda *a, **k: (seen.append("measure"), evaluate(*a, **k))[1]
        )
    train(dataclasses.replace(OPTIONS, epochs=2), tmp_path / "a.safetensors")
    assert seen == ["average", "measure"] * 2 + ["measure"] * 2  # the finished one is as it was


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_accuracy_is_of_the_own_share(monkeypatch, tmp_path, rank):
    """Of a batch that the processes do not divide, too."""

    def loss(self, x, labels, progress, lengths=None):
        value = self.model.mean_logits(x).sum() * 0.0
        return value, nn.functional.one_hot(labels, 10).float()  # all right

    monkeypatch.setattr(BestformerLearner, "loss", loss)
    alone_of(monkeypatch, 3, rank)
    options = dataclasses.replace(OPTIONS, batch=32)
    result = train(options, tmp_path / "a.safetensors")
    assert result is not None
    assert [h["train"] for h in result.notes["history"]] == [1.0]


def test_batches_of_fewer_images_than_processes_are_refused(monkeypatch, tmp_path):
    alone_of(monkeypatch, 4, 3)
    message = "a batch of 3 is shared by 4 processes, wanted an image for each; raise --batch"
    with pytest.raises(SpikeloomError, match=message):
        train(dataclasses.replace(OPTIONS, batch=3), tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("others", "want"), [(0.0, False), (1.0, True)])
def test_one_process_pauses_all(monkeypatch, others, want):
    team = of_two(monkeypatch)
    monkeypatch.setattr(parallel.dist, "all_reduce", lambda tensor: tensor.add_(others))
    assert team.any(False) is want
    assert team.any(True) is True


def test_one_process_is_the_plain_case(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    team = Processes("cpu").join()
    x = torch.ones(2)
    team.average([x, None])
    assert x.tolist() == [1.0, 1.0]
    assert team.everyone("a") == ["a"]
    assert team.any(True)
    assert not team.any(False)
    assert (team.rank, team.count, team.first) == (0, 1, True)
    team.wait()


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x", "meta:x"])
def test_devices_that_are_not_there(device, tmp_path):
    with pytest.raises(SpikeloomError, match=rf"Device '{device}' cannot be used \(.*--device cpu"):
        train(BestformerOptions(), tmp_path / "a.safetensors", device=device)
    assert list(tmp_path.iterdir()) == []
