"""The memories of a core, and the record of what is written to them."""

from typing import Any

import numpy as np

from hw.arch import formats
from hw.arch.config import Config
from hw.arch.isa import Instruction
from hw.arch.memmap import MOST_WORDS, Mem, split_addr
from sim.interpreter.events import MEMBRANE, PIXEL, RESIDUAL, Events, word_dtype


def signed(values: np.ndarray, bits: int) -> np.ndarray:
    """Low ``bits`` of each value as a signed number."""
    values = values.astype(np.int64) & ((1 << bits) - 1)
    return values - ((values >> (bits - 1)) << bits)


class Memories:
    """A core's memories, kept from run to run; all 0 at first.

    Attributes
    ----------
    row, col : numpy.ndarray
        uint8 (banks, words, W / 8).
    res : numpy.ndarray
        int64 (2, C, words), signed 18 bits.
    pix : numpy.ndarray
        int64 (words,).
    table : numpy.ndarray
        (cells, 2): thresholds of stored membranes before each cell, and the place of its own.
    cold : bool
        Codes in memory count as 0 in this run.
    """

    def __init__(self, config: Config, columns: np.ndarray):
        c = self.config = config
        width = c.width // 8
        self.row = np.zeros((c.rows, c.row_depth, width), np.uint8)
        self.col = np.zeros((c.cols, c.col_depth, width), np.uint8)
        self.res = np.zeros((2, c.cols, c.res_depth), np.int64)
        self.pix = np.zeros(c.pix_depth, np.int64)
        self.table = np.zeros((formats.STATE_CELLS, 2), np.int64)
        self.cold = True
        self.col[:, : columns.shape[1]] = np.ascontiguousarray(columns, "<u4").view(np.uint8)
        self.instruction = 0  #: Number of the instruction that runs.
        self.dtypes = {
            "row": word_dtype(c),
            "col": word_dtype(c),
            "res": RESIDUAL,
            "pix": PIXEL,
            "mem": MEMBRANE,
        }
        self._record: dict[str, list[np.ndarray]] | None = None

    # ---- reading ---------------------------------------------------------------------------

    @staticmethod
    def truncate(addr: Any, depth: int) -> Any:
        """Addresses as a memory of ``depth`` words sees them."""
        return addr % MOST_WORDS & ((1 << (depth - 1).bit_length()) - 1)

    def read(self, memory: np.ndarray, bank: np.ndarray, addr: np.ndarray) -> np.ndarray:
        """Words at addresses; anything (here 0) past the depth, where only masked reads go."""
        depth = memory.shape[1]
        addr = self.truncate(addr, depth)
        out = memory[bank, np.minimum(addr, depth - 1)]
        return np.where((addr < depth)[..., None], out, 0) if (addr >= depth).any() else out

    def column_words(self, addr: np.ndarray) -> np.ndarray:
        """Words (C, n, W / 8) of all column banks at addresses (n,)."""
        banks = np.arange(self.config.cols)[:, None]
        return self.read(self.col, banks, addr[None, :] + 0 * banks)

    def column_numbers(self, addr: np.ndarray, bits: int) -> np.ndarray:
        """Signed numbers (C, n) in the low bits of column words."""
        low = np.ascontiguousarray(self.column_words(addr)[..., :4]).view("<u4")[..., 0]
        return signed(low, bits)

    def parameters(self, i: Instruction, addr: int) -> tuple[np.ndarray, np.ndarray]:
        """Bias (C,) and factors (entries, C); zeros where an instruction has none.

        Those of a mean come before them: `mean_parameters`.
        """
        if not i.n_par:
            return np.zeros(self.config.cols, np.int64), np.zeros((1, self.config.cols), np.int64)
        at = addr + np.arange(2 if i.mean else 0, i.n_par)
        bias = self.column_numbers(at[:1], formats.BIAS_BITS)[:, 0]
        return bias, self.column_numbers(at[1:], formats.FACTOR_BITS).T

    def mean_parameters(self, addr: int) -> tuple[np.ndarray, np.ndarray]:
        """Bias (C,) and factor (C,) of a mean that is summed while it is written."""
        at = addr + np.arange(2)
        bias = self.column_numbers(at[:1], formats.BIAS_BITS)[:, 0]
        return bias, self.column_numbers(at[1:], formats.FACTOR_BITS)[:, 0]

    # ---- loading ---------------------------------------------------------------------------

    def load(self, stream: np.ndarray) -> None:
        """Do load port writes to row and pixel memory, uint32 [n, 2] of (address, data)."""
        addr, data = np.asarray(stream, np.uint32).astype(np.int64).T
        memory, word, bank, part = split_addr(addr)
        assert np.isin(memory, [Mem.ROW, Mem.PIX]).all(), "only images are loaded here"
        row, pix = memory == Mem.ROW, memory == Mem.PIX
        parts = self.row.view("<u4")
        parts[bank[row], word[row], part[row]] = data[row]
        self.pix[word[pix]] = signed(data[pix], formats.MEMBRANE_BITS)

    # ---- writing ---------------------------------------------------------------------------

    def start_record(self, wanted: bool) -> None:
        """Forget earlier events; record from now on, or not."""
        self._record = {name: [] for name in self.dtypes} if wanted else None

    def events(self, name: str, shape: tuple[int, ...] | int, **values: Any) -> np.ndarray:
        """Return events of a memory, by the running instruction, with fields set."""
        out: Any = np.zeros(shape, self.dtypes[name])
        out["instruction"] = self.instruction
        for field, value in values.items():
            out[field] = value
        return out

    def record(self, name: str, events: np.ndarray) -> None:
        """Keep events for `recorded`."""
        if self._record is not None:
            self._record[name].append(events.ravel())

    @property
    def recording(self) -> bool:
        """Whether events are wanted."""
        return self._record is not None

    def recorded(self) -> Events | None:
        """Events since `start_record`, in order of cycle."""
        if self._record is None:
            return None
        minor = {"row": "bank", "col": "bank", "res": "lane", "pix": "addr", "mem": "lane"}
        out = {}
        for name, parts in self._record.items():
            all_: np.ndarray = np.concatenate([np.zeros(0, self.dtypes[name]), *parts])
            out[name] = all_[np.lexsort((all_[minor[name]], all_["cycle"]))]
        return Events(**out)

    def check(self, addr: np.ndarray, depth: int, name: str) -> np.ndarray:
        """Truncated addresses of writes; AssertionError if one is past the memory."""
        addr = self.truncate(addr, depth)
        if (addr >= depth).any():
            raise AssertionError(f"instruction {self.instruction} leaves the {name} memory")
        return addr

    def write_words(self, name: str, events: np.ndarray) -> None:
        """Apply writes to row or column memory in order of cycle, and record them."""
        memory = getattr(self, name)
        events["addr"] = self.check(events["addr"], memory.shape[1], name)
        events = events[np.argsort(events["cycle"], kind="stable")]
        width = memory.shape[2]
        full = (1 << width) - 1
        if (events["mask"] == full).all():
            memory[events["bank"], events["addr"]] = events["data"]
        else:
            bits = (events["mask"][:, None] >> np.arange(width)) & 1
            event, byte = np.nonzero(bits)
            memory[events["bank"][event], events["addr"][event], byte] = events["data"][event, byte]
        self.record(name, events)
