"""Residual memory: who lies in buffer A or B, membranes in A, and the means that sum them."""

from dataclasses import dataclass, replace
from itertools import groupby

from hw.arch.config import Config
from hw.arch.isa import Keep, Res
from hw.arch.memmap import MOST_WORDS
from sw.compiler.plan.layout import ceil_div
from sw.compiler.plan.numbering import Numbering
from sw.compiler.plan.numberings import Numberings
from sw.compiler.plan.spill import find_pieces, tile_words
from sw.compiler.plan.tensors import Uses
from sw.compiler.records import Region
from sw.network import IntegerNetwork, Layer, Mean, Residual
from sw.network.layers import neuron_of, residual_of, shortcut_of

A, B = 0, 1


@dataclass(frozen=True)
class Access:
    """What a layer does with residual memory."""

    res: Res = Res.NONE
    keep: Keep = Keep.NONE
    dest: int = A  #: Buffer written.


class Residuals:
    """Places of residuals, kept spikes, stored membranes and features.

    Attributes
    ----------
    access : dict
        Layer's name to `Access`.
    pieces : dict
        See `find_pieces`.
    codes : dict
        Layer's name to the first group of R codes (st_base).
    mean_runs : list
        Means that one instruction computes: buffer to layer, in order of execution.
    features : dict
        Mean's name to (offset among the features, channels).
    feature_gap, feature_count : int
        Pixel words before the features that are written to no purpose, and of the features.
    regions : list of Region
    depth : int
        Words needed.
    problems : list of str
    """

    def __init__(self, net: IntegerNetwork, config: Config, uses: Uses, numbers: Numberings):
        self.net, self.config, self.uses, self.numbers = net, config, uses, numbers
        self.steps = net.steps
        self.regions: list[Region] = []
        self.problems: list[str] = []
        self.access: dict[str, Access] = {}
        self._buffer: dict[str, int] = {}
        self._size = [0, 0]
        self.pieces = find_pieces(uses, numbers, config)
        self._choose()
        self.codes: dict[str, int] = {}
        if net.stream:
            self._place_codes()
        self.depth = max(self._size)
        self._group_means()

    def words(self, name: str) -> int:
        """Words of one buffer that a residual or kept spikes take at a time."""
        tiles = next((p.tiles for p in self.pieces.values() if name in p.names), self._tiles(name))
        return tiles * tile_words(self.uses, self.numbers, self.config, name)

    def last_use(self, name: str) -> int:
        """Index of the last layer that needs a tensor, or of the pieces that this layer is in."""
        last = self.uses.last_use(name)
        layer = self.net.layers[last]
        return next((p.ends for p in self.pieces.values() if p.include(layer)), last)

    def _tiles(self, name: str) -> int:
        return ceil_div(self.uses.shape[name][0], self.config.cols)

    # ---- buffers ---------------------------------------------------------------------------

    def _choose(self) -> None:
        held: dict[int, str] = {}
        for n, layer in enumerate(self.net.layers):
            residual = residual_of(layer)
            inputs = residual.inputs if residual is not None else ()
            for name in inputs:
                if held.get(self._buffer[name]) != name:
                    raise self.uses.fail(
                        layer.name,
                        "reads a residual that was overwritten; the core has two buffers",
                    )
            access = self._sum(layer, residual)
            kept, stored = self.uses.kept(layer), self.uses.residual(layer)
            if kept and stored:
                raise self.uses.fail(
                    layer.name,
                    f"residual {stored!r} and spikes {kept!r} would both have to be "
                    "kept in residual memory; let the mean read the residual, or put a layer "
                    "between them",
                )
            if name := kept or stored:
                access = replace(
                    access,
                    keep=Keep.SPIKE if kept else Keep.Y,
                    dest=self._free(n, layer, name, inputs, held),
                )
                held[access.dest], self._buffer[name] = name, access.dest
                size = self.words(name)
                self._size[access.dest] = max(self._size[access.dest], size)
                self.regions.append(
                    Region(name=f"{name} ({'AB'[access.dest]})", memory="res", base=0, size=size)
                )
            self.access[layer.name] = access

    def _sum(self, layer: Layer, residual: Residual | None) -> Access:
        if shortcut_of(layer) is not None:
            return Access(Res.SPIKE)
        inputs = [self._buffer[name] for name in residual.inputs] if residual is not None else []
        if len(inputs) == 2 and inputs[0] == inputs[1]:
            raise self.uses.fail(layer.name, "averages a residual with itself")
        if inputs == [A]:
            assert residual is not None
            raise self.uses.fail(
                layer.name,
                "a single residual can be added from buffer B only, but "
                f"{residual.inputs[0]!r} is in buffer A",
            )
        return Access((Res.NONE, Res.ADD, Res.AVERAGE)[len(inputs)])

    def _free(
        self, n: int, layer: Layer, name: str, inputs: tuple[str, ...], held: dict[int, str]
    ) -> int:
        """Buffer for ``name``: the oldest input's of two, else one that is not needed."""
        needed = {b for b, t in held.items() if self.uses.last_use(t) > n}
        if name == layer.spikes():
            choice = (A, B)
        elif len(inputs) == 2:
            choice = tuple(self._buffer[t] for t in inputs)
        else:
            choice = (A, B) if inputs else (B, A)
            if any(self._adds(reader, name) for reader in self.uses.readers_of(name)):
                choice = (B,)
        if self.net.stream:
            choice = (B,)
        free = [b for b in choice if b not in needed]
        if not free:
            if len(choice) == 2:
                raise self.uses.fail(
                    layer.name, "needs a third residual buffer, but the core has two"
                )
            why = (
                "buffer A holds membranes"
                if self.net.stream
                else "a single residual can be added from there only"
            )
            raise self.uses.fail(
                layer.name,
                f"{name!r} must lie in residual buffer B, as {why}, but "
                f"{held[B]!r} is still needed there; use it before",
            )
        return free[0]

    @staticmethod
    def _adds(reader: Layer, name: str) -> bool:
        residual = residual_of(reader)
        return residual is not None and residual.inputs == (name,)

    # ---- membranes -------------------------------------------------------------------------

    def _place_codes(self) -> None:
        """Regions of buffer A for codes, above what else lies there; whole words each."""
        rows, at = self.config.rows, self._size[A]
        for layer in self.net.layers:
            neuron = neuron_of(layer)
            if neuron is None or neuron.state is None:
                continue
            bits = neuron.state.bits
            count = self._tiles(neuron.name) * self.groups(layer)  # groups of R codes
            unit = max(1, rows * bits // 16)
            at = ceil_div(at, unit) * unit
            self.codes[layer.name] = first = at * 16 // (rows * bits)
            size = ceil_div(count * rows * bits, 16)
            if (first + count) * rows > MOST_WORDS:
                self.problems.append(
                    f"layer {layer.name!r}: its membranes end {(first + count) * rows} codes of "
                    f"{bits} bits into a lane's memory, which counts {MOST_WORDS}"
                )
            self.regions.append(
                Region(name=f"membranes of {neuron.name} (A)", memory="res", base=at, size=size)
            )
            at += size
        self._size[A] = max(self._size[A], at)

    def groups(self, layer: Layer) -> int:
        """Groups of R tokens between column tiles of what a layer writes."""
        residual = residual_of(layer)
        names = residual.inputs if residual is not None else ()
        for name in (*names, self.uses.residual(layer), self.uses.kept(layer)):
            if name:
                return self.numbers.groups[name]
        name = layer.spikes()
        assert name is not None
        return self.numbers.layer[layer.name].groups(self.uses.shape[name], self.config.rows)

    # ---- means -----------------------------------------------------------------------------

    def numbering(self, name: str) -> Numbering:
        """Numbering of a residual or of kept spikes."""
        return self.numbers.layer[self.net.layers[self.uses.maker[name]].name]

    def mean(self, name: str) -> Mean:
        """Mean that writes tensor ``name``."""
        mean = self.net.layers[self.uses.maker[name]]
        assert isinstance(mean, Mean)
        return mean

    def token_index(self, name: str, token: int) -> int:
        """Index of a token in residual memory, gaps counted."""
        width = self.uses.shape[name][2]
        pitch = self.numbering(name).pitch(width, self.config.rows)
        return token // width * pitch + token % width

    def _group_means(self) -> None:
        """Find means that share an instruction: sums of A and B, same shift and shape.

        Those that are summed while what they read is made have none.

        B's numbers come C * (column tiles) words after A's, which are written first.
        """
        summed = [self.net.layers[n] for n in sorted(self.uses.summed)]
        self.mean_runs: list[dict[int, Mean]] = []
        self.features: dict[str, tuple[int, int]] = {}
        for _, group in groupby(self.net.layers, key=type):
            run: dict[int, Mean] = {}
            for layer in group:
                if not isinstance(layer, Mean):
                    break
                if any(layer is mean for mean in summed):
                    continue
                self._check_mean(layer)
                buffer, other = self._buffer[layer.source], next(iter(run.values()), layer)
                alike = layer.over_tokens and self._kind(layer) == self._kind(other)
                if run and (buffer in run or not alike):
                    self.mean_runs.append(run)
                    run = {}
                run[buffer] = layer
            if run:
                self.mean_runs.append(run)
        at, self.feature_gap = 0, 0
        for run in self.mean_runs:
            first = next(iter(run.values()))
            channels = self.uses.shape[first.source][0]
            across = self._tiles(first.source) * self.config.cols
            if at == 0 and A not in run:  # what A would give lies before the features
                at, self.feature_gap = -across, across
            for buffer, layer in run.items():
                self.features[layer.name] = (at + buffer * across, channels)
            tokens = 1
            if not first.over_tokens:
                tokens = self.numbers.groups[first.source] * self.config.rows
            at += (max(run) + tokens) * across
        for layer in summed:
            assert isinstance(layer, Mean)
            self.features[layer.name] = (at, self.uses.shape[layer.source][0])
            at += self._tiles(layer.source) * self.config.cols
        self.feature_count = at

    def _kind(self, mean: Mean) -> tuple:
        return (
            mean.shift,
            mean.over_tokens,
            self.uses.shape[mean.source],
            self.numbers.groups[mean.source],
            self.numbering(mean.source),
        )

    def _check_mean(self, mean: Mean) -> None:
        maker = self.net.layers[self.uses.maker[mean.source]]
        _, h, w = self.uses.shape[mean.source]
        pitch = self.numbering(mean.source).pitch(w, self.config.rows)
        if mean.over_tokens and h > 1 and pitch != w:
            raise self.uses.fail(
                mean.name,
                f"sums {mean.source!r} over tokens, but layer {maker.name!r} leaves "
                f"{pitch - w} of {pitch} places free after each image row, because another layer "
                "reads its spikes as an image; let the mean read a layer that nothing else reads",
            )
