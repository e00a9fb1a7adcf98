"""Pairs of one block as `sw.nn` has it and as spikingjelly's modules, with equal weights."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks import modules
from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.model import Bestformer, Block
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.model import BasicBlock
from sw.nn.binary import BinaryConv2d
from sw.nn.neurons import LIF
from sw.nn.norm import Norm2d

#: Largest share of spikes that may differ, and largest difference of a gradient in units of its own
#: norm. In float32, sums of another order turn a spike over now and then; in a whole network that
#: one turns others, so it is compared in float64 alone.
FLOAT32, FLOAT64 = (1e-4, 5e-2), (0.0, 1e-8)


class _Stage(nn.Module):
    """Neuron, binary 3x3 convolution and BatchNorm of a tokenizer."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.lif = LIF()
        self.conv = BinaryConv2d(inputs, outputs, 3)
        self.bn = Norm2d(outputs)

    def forward(self, x: Tensor, trace: dict[str, Tensor]) -> Tensor:
        """Currents of currents (T, B, C, H, W)."""
        s = trace["lif"] = self.lif(x)
        return self.bn(self.conv(s.flatten(0, 1))).unflatten(0, x.shape[:2])


def _inner(x: Tensor) -> Tensor:
    """``x`` (..., C, H, W) with channels innermost in memory, as `sw.nn` keeps it."""
    return x.movedim(-3, -1).contiguous().movedim(-1, -3)


Outputs = Tensor | tuple[Tensor, ...]


@dataclass(eq=False)
class Side:
    """One of the two: a module, its inputs and the gradients of its outputs."""

    module: nn.Module
    run: Callable[..., Outputs]
    inputs: list[Tensor]
    grads: list[Tensor]

    def __post_init__(self):
        self.parameters = list(self.module.parameters())

    def step(self) -> tuple[Tensor, ...]:
        """Forward and backward pass, from no gradients on."""
        for x in (*self.inputs, *self.parameters):
            x.grad = None
        y = self.run(*self.inputs)
        outputs = y if isinstance(y, tuple) else (y,)
        torch.autograd.backward(outputs, self.grads)
        return outputs

    def to(self, dtype: torch.dtype) -> None:
        """Compute in another number format."""
        self.module.to(dtype)
        self.inputs = [x.detach().to(dtype).requires_grad_(x.requires_grad) for x in self.inputs]
        self.grads = [g.to(dtype) for g in self.grads]


class Pair:
    """One block twice; ``trace`` holds the spikes of the last step of `ours`.

    Parameters
    ----------
    ours, theirs : nn.Module
        With equal state dicts but for aliases.
    call : callable
        Outputs of ``ours`` for inputs and a trace to fill.
    inputs : list of Tensor
        Of both; floating currents or spikes get gradients.
    network : bool
        A whole network, whose input is an image without a gradient.
    """

    def __init__(
        self,
        ours: nn.Module,
        theirs: nn.Module,
        call: Callable[..., Outputs],
        inputs: list[Tensor],
        *,
        network: bool = False,
    ):
        for module in ours.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):  # so that every neuron fires
                nn.init.uniform_(module.weight, 1.0, 2.0)
                nn.init.uniform_(module.bias, 0.0, 1.0)
        found = theirs.load_state_dict(ours.state_dict(), strict=False)
        assert not found.missing_keys, found.missing_keys
        self.trace: dict[str, Tensor] = {}
        self.deep = network
        with torch.no_grad():
            y = call(*inputs, {})
        shapes = [t.shape for t in (y if isinstance(y, tuple) else (y,))]
        grads = [torch.randn(shape) for shape in shapes]

        def run(*x: Tensor) -> Outputs:
            self.trace = {}
            return call(*x, self.trace)

        def reference(*x: Tensor) -> Outputs:
            modules.reset(theirs)
            return theirs(*x)

        def leaf(x: Tensor) -> Tensor:
            return x if network else x.requires_grad_()

        self.ours = Side(
            ours,
            run,
            [leaf(_inner(x)) for x in inputs],
            [_inner(g) if g.ndim > 2 else g for g in grads],
        )
        self.theirs = Side(theirs, reference, [leaf(x.clone()) for x in inputs], grads)

    def difference(self) -> str | None:
        """What is not equal, spikes or gradients, or None."""
        wrong = None if self.deep else self._compare(*FLOAT32)
        for side in (self.ours, self.theirs):
            side.to(torch.float64)
        wrong = wrong or self._compare(*FLOAT64)
        for side in (self.ours, self.theirs):
            side.to(torch.float32)
        return wrong

    def _compare(self, flipped: float, near: float) -> str | None:
        seen: dict[str, Tensor] = {}
        hooks = [
            m.register_forward_hook(lambda m, x, y, name=name: seen.__setitem__(name, y.detach()))
            for name, m in self.theirs.module.named_modules()
            if isinstance(m, modules.NEURONS)
        ]
        mine, others = self.ours.step(), self.theirs.step()
        spiked = {name.removeprefix("."): s.detach() for name, s in self.trace.items()}
        for hook in hooks:
            hook.remove()
        if set(seen) != set(spiked):
            return f"neurons differ: {sorted(set(seen) ^ set(spiked))}"
        for name, spikes in spiked.items():
            if not 0 < float(spikes.mean()) < 1:
                return f"{name} is silent or always fires"
            share = float((spikes != seen[name]).double().mean())
            if share > flipped:
                return f"{name}: {share:.1e} of the spikes differ"
        grads = {n: p.grad for n, p in self.ours.module.named_parameters()}
        wanted = {n: p.grad for n, p in self.theirs.module.named_parameters()}
        for i, (x, y) in enumerate(zip(self.ours.inputs, self.theirs.inputs, strict=True)):
            if y.requires_grad:
                grads[f"input {i}"], wanted[f"input {i}"] = x.grad, y.grad
        for i, (x, y) in enumerate(zip(mine, others, strict=True)):
            grads[f"output {i}"], wanted[f"output {i}"] = x.detach(), y.detach()
        for name, want in wanted.items():
            got = grads[name]
            assert got is not None, name
            assert want is not None, name
            off = float((got - want).norm() / want.norm())
            if not off <= near:
                return f"{name}: {'value' if 'output' in name else 'gradient'} is {off:.1e} off"
        return None


def _mnist(steps: int) -> BestformerConfig:
    return BestformerConfig(height=28, width=28, depth=2, mlp_ratio=2, steps=steps)


def _block(config: BestformerConfig, batch: int) -> Pair:
    ours = Block(config)
    shape = (config.steps, batch, config.embed_dim, *config.grid)
    inputs = [2.0 * torch.randn(shape) for _ in range(2)]
    nn.init.uniform_(ours.attn.lambda_attn, 1.0, 2.0)
    return Pair(ours, modules.Block(config), lambda x0, x1, trace: ours(x0, x1, trace, ""), inputs)


def block(steps: int) -> Pair:
    """The shipped MNIST network's block."""
    return _block(_mnist(steps), 64)


def cifar() -> Pair:
    """The published CIFAR network's block."""
    config = BestformerConfig(height=32, width=32, embed_dim=384, heads=8, mlp_ratio=4, steps=4)
    return _block(config, 16)


def stage() -> Pair:
    """A tokenizer's second binary layer."""
    ours = _Stage(16, 32)
    return Pair(ours, modules.Stage(16, 32), ours, [2.0 * torch.randn(2, 64, 16, 28, 28)])


def network() -> Pair:
    """The shipped MNIST network."""
    config = _mnist(2)
    ours = Bestformer(config)
    return Pair(ours, modules.Bestformer(config), ours, [torch.rand(64, 1, 28, 28)], network=True)


def qsnn() -> Pair:
    """A basic block of the shipped MNIST Q-SNN."""
    config = QsnnConfig(height=28, width=28, membrane_bits=2)
    ours = BasicBlock(config, 16, 16, 1)
    spikes = (torch.rand(2, 64, 16, 28, 28) < 0.3).float()
    return Pair(ours, modules.BasicBlock(config, 16), lambda x, trace: ours(x, trace, ""), [spikes])
