"""A compiled network: everything a core, a simulator or a host needs to run it."""

import dataclasses
import json
import math
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hw.arch import isa, schedule
from hw.arch.config import Config
from hw.arch.isa import Instruction
from hw.arch.memmap import Mem, load_addr
from hw.arch.outside import CONTRACT, Contract
from hw.common import npz
from hw.common.errors import SpikeloomError
from hw.common.show import listing, shown
from sw.compiler.disassembler import disassemble
from sw.compiler.records import Forecast, Label, Region, by_layer

VERSION = 4  #: Of the file format.
MOST = 1 << 20  #: Of any size in a file.
_ARRAYS = {"words": np.uint32, "columns": np.uint32, "outside": np.uint32}
_MAYBE = ("outside", "contract")  #: Of a file, where a program moves anything.


def _frozen(item: dict[str, Any]) -> dict[str, Any]:
    """Return the dictionary with tuples for JSON's lists."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in item.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """A network compiled for one core configuration.

    Attributes
    ----------
    words : numpy.ndarray
        Program memory, uint32.
    columns : numpy.ndarray
        Column memory from address 0, uint32 [C, used, W / 32], least significant part first.
    input_shape : tuple of int
        [C, H, W] or [T, C, H, W], of bytes.
    image_memory : str
        ``pix``: the bytes are in pixel memory in this order from ``image_base``, one a word.
        ``row``: in row memory, where byte c of bank x mod R at ``image_base`` + (t * H + y) * G +
        x div R is the one of channel c, column x, image row y, and G columns div R, rounded up.
    logits_base, classes, logits_scale
        Where the logits are in pixel memory, how many; float logit = integer * scale.
    ops : tuple of (str, int)
        Binary operations per layer, true sizes: no padding, no taps outside the image.
    outside : numpy.ndarray
        Memory outside the core from address 0, uint32; empty where nothing comes from there.
    contract : Contract
        What that memory is taken to keep to, in the forecast and in simulation.
    stream : bool
        Images are the steps of one stream: membranes stay in memory from image to image.
    """

    name: str
    config: Config
    digest: int
    version: int
    words: np.ndarray
    columns: np.ndarray
    steps: int
    input_shape: tuple[int, ...]
    image_memory: str
    image_base: int
    logits_base: int
    classes: int
    logits_scale: float
    labels: tuple[Label, ...]
    forecast: tuple[Forecast, ...]
    regions: tuple[Region, ...]
    ops: tuple[tuple[str, int], ...]
    stream: bool = False
    outside: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint32))
    contract: Contract = CONTRACT

    def __repr__(self) -> str:
        c = self.config
        cycles = by_layer(self.forecast, [f.cycles for f in self.forecast])
        return listing(
            f"Program {self.name!r} for {c.rows} rows x {c.cols} columns x {c.width} bits: "
            f"{self.cycles} cycles, {len(self.words)} program words, {self.classes} classes",
            (f"{layer}: {count} cycles" for layer, count in cycles.items()),
        )

    @property
    def cycles(self) -> int:
        """Forecast of the busy time of one image, its table kept from the one before."""
        return sum(f.cycles for f in self.forecast)

    @property
    def first_cycles(self) -> int:
        """Forecast of the first run after the program or CTRL was written: it loads the table."""
        code = self.instructions()
        first, later = (
            sum(schedule.program_cycles(self.config, code, f, self.contract)) for f in (True, False)
        )
        return self.cycles + first - later

    def stalls(self, run: int = 1) -> list[int]:
        """Of each instruction, cycles that pass for nothing but a wait for what is outside.

        ``run``: as `run_cycles`.
        """
        if not self.outside.size:
            return [0] * len(self.labels)
        times = schedule.schedule(self.config, self.instructions(), not run, self.contract)
        return [t.stalls for t in times]

    def computing(self, run: int = 1) -> list[int]:
        """Of each instruction, cycles without `stalls`. ``run``: as `run_cycles`."""
        if run and not self.outside.size:
            return [f.cycles for f in self.forecast]
        return schedule.program_cycles(self.config, self.instructions(), not run, None)

    @property
    def outside_words(self) -> int:
        """Words that a run brings from outside."""
        code = self.instructions()
        return sum(
            i.n_j * schedule.block_words(self.config, i) for i in code if i.op == isa.Op.MOVE
        )

    def run_cycles(self, run: int) -> int:
        """Forecast of the busy time of a run, counted from 0 since the program was loaded."""
        return self.cycles if run else self.first_cycles

    def run_computing(self, run: int) -> int:
        """Of `run_cycles`, those without `stalls`, which are the same with any memory outside."""
        return self.run_cycles(run) - sum(self.stalls(run))

    @property
    def input_count(self) -> int:
        """Bytes of one input."""
        return int(np.prod(self.input_shape))

    @property
    def total_ops(self) -> int:
        """Binary operations of one image."""
        return sum(n for _, n in self.ops)

    @property
    def share(self) -> float:
        """Share of the array's peak that does useful binary operations."""
        return self.total_ops / (self.cycles * self.config.peak)

    def load_stream(self, images: np.ndarray | None = None) -> np.ndarray:
        """Return the load port's writes, uint32 [n, 2] of (address, data).

        The last one makes the next run the first of a stream, with membranes of 0.

        Parameters
        ----------
        images : numpy.ndarray, optional
            One image to load too (see `image_stream`).
        """
        prog = [(load_addr(Mem.PROG, a), int(w)) for a, w in enumerate(self.words)]
        banks, used, parts = self.columns.shape
        b, a, p = np.meshgrid(np.arange(banks), np.arange(used), np.arange(parts), indexing="ij")
        addr = load_addr(Mem.COL, a, b, p)
        cols = np.stack([addr.ravel(), self.columns.ravel()], axis=1).astype(np.uint32)
        out = [np.array(prog, np.uint32).reshape(-1, 2), cols]
        if images is not None:
            out.append(self.image_stream(images))
        out.append(np.array([[load_addr(Mem.CTRL, 0), 0]], np.uint32))
        return np.concatenate(out)

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """Return one image's bytes as int64, flat; SpikeloomError if its size is wrong."""
        pixels = np.asarray(image)
        sides = tuple(n for n in self.input_shape if n != 1)
        fits = pixels.ndim == 1 or tuple(n for n in pixels.shape if n != 1) == sides
        if pixels.size != self.input_count or not fits:
            raise SpikeloomError(
                f"image of shape {pixels.shape} has {pixels.size} values, but program "
                f"{self.name!r} wants {list(self.input_shape)} = {self.input_count}"
            )
        pixels = pixels.astype(np.int64).ravel()
        if pixels.size and not 0 <= pixels.min() <= pixels.max() <= 255:
            raise SpikeloomError("image has values outside 0 to 255; give bytes")
        return pixels

    def image_stream(self, image: np.ndarray) -> np.ndarray:
        """Return the load port's writes for one image, uint32 [n, 2] of (address, data).

        Words of a bank come in the order of their addresses, bank after bank.
        """
        pixels = self.pixels(image)
        if self.image_memory == "pix":
            addr = load_addr(Mem.PIX, self.image_base + np.arange(pixels.size))
            return np.stack([addr, pixels], axis=1).astype(np.uint32)
        channels, height, width = self.input_shape[-3:]
        rows, groups, parts = self.config.rows, -(-width // self.config.rows), -(-channels // 4)
        frames = pixels.size // (channels * height * width)
        whole = np.zeros((frames, height, groups * rows, 4 * parts), np.uint8)
        image = pixels.reshape(frames, channels, height, width)
        whole[:, :, :width, :channels] = image.transpose(0, 2, 3, 1)
        words = whole.view("<u4").reshape(-1, rows, parts).transpose(1, 2, 0)  # bank, part, word
        bank, part, word = np.indices(words.shape)
        addr = load_addr(Mem.ROW, self.image_base + word, bank, part)
        return np.stack([addr.ravel(), words.ravel()], axis=1).astype(np.uint32)

    @property
    def image_words(self) -> int:
        """Words that one image takes of each bank of ``image_memory``."""
        if self.image_memory == "pix":
            return self.input_count
        *steps, _, height, width = self.input_shape
        return math.prod(steps) * height * -(-width // self.config.rows)

    def instructions(self) -> list[Instruction]:
        """Return the decoded program."""
        return isa.instructions(self.words.tolist())

    def disassemble(self) -> str:
        """Return the program as text; see `sw.compiler.disassembler`."""
        c = self.config
        head = (
            f"program {self.name}: {len(self.words)} words, {self.cycles} cycles, "
            f"R = {c.rows}, C = {c.cols}, W = {c.width}, T = {self.steps}, "
            f"digest {self.digest:#010x}"
        )
        return (
            "\n".join([head, *disassemble(self.instructions(), self.labels, self.forecast)]) + "\n"
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write a ``.npz`` file; the same program gives the same bytes."""
        meta = {}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if f.name in _ARRAYS or (f.name in _MAYBE and not self.outside.size):
                continue
            if f.name == "config":
                value = self.config.as_dict()
            elif f.name == "contract":
                value = dataclasses.asdict(self.contract)
            elif f.name in ("labels", "forecast", "regions"):
                value = [dataclasses.asdict(v) for v in value]
            meta[f.name] = value
        text = json.dumps({"format": "spikeloom program", **meta}, sort_keys=True)
        arrays = {"meta": np.frombuffer(text.encode(), np.uint8)}
        arrays.update(
            (n, np.ascontiguousarray(getattr(self, n), "<u4"))
            for n in _ARRAYS
            if n not in _MAYBE or self.outside.size
        )
        npz.write(path, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Program":
        """Read a file that `save` wrote; SpikeloomError if it is anything else."""
        where = str(path)
        try:
            arrays = npz.read(path, sealed=True)
            if arrays.keys() | {"outside"} != {"meta", *_ARRAYS}:
                raise ValueError("other members than those of a program")
            meta = json.loads(arrays["meta"].astype(np.uint8).tobytes())
            if not isinstance(meta, dict) or meta.pop("format", None) != "spikeloom program":
                raise ValueError("format")
        except (npz.ArchiveError, ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())[:120]
            raise SpikeloomError(
                f"{where!r} is not a whole Spikeloom program ({reason}); make it with python -m "
                "sw.compiler"
            ) from None
        if meta.get("version") != VERSION:
            raise SpikeloomError(
                f"program {where!r} has format version {shown(meta.get('version'))}, but this "
                f"Spikeloom reads {VERSION}; compile the network again"
            )
        try:
            meta["config"] = Config(**meta["config"])
            for name, kind in (("labels", Label), ("forecast", Forecast), ("regions", Region)):
                meta[name] = tuple(kind(**_frozen(item)) for item in meta[name])
            meta["ops"] = tuple((str(n), int(v)) for n, v in meta["ops"])
            meta["input_shape"] = tuple(meta["input_shape"])
            if ("outside" in arrays) != ("contract" in meta):
                raise ValueError("outside")
            if "contract" in meta:
                meta["contract"] = Contract(**meta["contract"])
            arrays = {n: arrays[n].astype(t) for n, t in _ARRAYS.items() if n in arrays}
            values: dict[str, Any] = meta | arrays
            program = cls(**values)
            c = program.config
            if program.columns.ndim != 3 or program.columns.shape[::2] != (c.cols, c.width // 32):
                raise ValueError(program.columns.shape)
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError):
            raise SpikeloomError(
                f"program {where!r} is damaged; make it again with python -m sw.compiler"
            ) from None
        if program.digest != program.config.digest:
            raise SpikeloomError(
                f"program {where!r} has digest {program.digest:#010x}, but its configuration has "
                f"{program.config.digest:#010x} with this instruction set; compile it again"
            )
        if fault := _fault(program):
            raise SpikeloomError(
                f"program {where!r} is not consistent: {fault}; make it again with python -m "
                "sw.compiler"
            )
        return program


def _fault(program: Program) -> str:
    """What in a program that was read does not agree with the rest of it; "" if all does."""
    c = program.config
    whole = {
        name: getattr(program, name) for name in ("steps", "image_base", "logits_base", "classes")
    }
    sides = program.input_shape
    if any(type(v) is not int or not 0 <= v <= MOST for v in (*whole.values(), *sides)):
        return f"sizes {whole} and image {str(sides)[:80]}"
    if len(sides) not in (3, 4) or min(sides) < 1 or program.classes < 1:
        return f"an image of {sides} and {program.classes} classes"
    if not isinstance(program.name, str) or not isinstance(program.logits_scale, float):
        return "name or scale of the logits"
    if program.image_memory not in ("row", "pix") or (
        program.image_memory == "row" and sides[-3] > c.width // 8
    ):
        return f"an image of {sides[-3]} channels in memory {str(program.image_memory)[:80]!r}"
    image = program.image_base + program.image_words
    values = program.logits_base + program.classes
    inside = program.image_memory == "row"
    used = values if inside else max(image, values)
    for what, taken, depth in (
        ("row memory", image * inside, c.row_depth),
        ("program memory", program.words.size, c.prog_depth),
        ("pixel memory", used, c.pix_depth),
        ("column memory", program.columns.shape[1], c.col_depth),
    ):
        if taken > depth:
            return f"{what} of {depth} words, {taken} used"
    try:
        decoded = program.instructions()
        known = all(i.op in set(isa.Op) for i in decoded)
        tiles = max(i.n_j * i.n_h for i in decoded)
    except (SpikeloomError, ValueError, IndexError) as error:
        return str(error)
    if not known or tiles > MOST or len(decoded) != len(program.labels):
        return f"{len(decoded)} instructions, {len(program.labels)} labels, {tiles} column tiles"
    moves = [i for i in decoded if i.op == isa.Op.MOVE]
    ends = [i.out_addr + i.n_j * schedule.block_words(c, i) for i in moves]
    if max(ends, default=0) > program.outside.size:
        return f"{program.outside.size} words outside, {max(ends)} used"
    try:
        cycles = schedule.program_cycles(c, decoded, contract=program.contract)
    except AssertionError as error:
        return str(error)
    if [f.cycles for f in program.forecast] != cycles:
        return "the forecast is not that of the instructions"
    return ""
