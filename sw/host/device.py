"""A Spikeloom core at the other end of a byte transport."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hw.arch import link
from hw.arch.link import RATES, Identity, State
from hw.arch.memmap import MOST_WORDS, Mem, Stopped, load_addr
from hw.common.errors import SpikeloomError
from sw.compiler.layers import logged_cycles
from sw.compiler.records import by_layer
from sw.host import outside
from sw.host.exchange import NoReply, Transport
from sw.host.link import Link
from sw.images import as_frames

OTHER_CYCLES = "the device took"  #: How the warning of an inference begins.
SLOWEST = 32  #: Cycles that a word of the memory outside may take, of a run that is not stopped.
PATIENCE = 1.0  #: Seconds that a run may take more than twice its forecast.
_RELOAD = "load the program again, and where that does not help, program the device anew"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one inference gave."""

    logits: np.ndarray  #: (classes,), int64.
    scale: float  #: Float logit = integer logit * scale.
    cycles: int  #: Busy cycles of the core.
    forecast: int  #: Those that such a run takes.
    seconds: float  #: These cycles at the device's clock.
    stalls: int = 0  #: Of the cycles, those that passed for nothing but the memory outside.
    waits: int = 0  #: Of the forecast, such as a memory makes that keeps to the contract.

    @property
    def differs(self) -> bool:
        """It computed for other than the forecast's cycles: its logits are not to be trusted."""
        return self.cycles - self.stalls != self.forecast - self.waits

    @property
    def prediction(self) -> int:
        """The most likely class."""
        return int(np.argmax(self.logits))


@dataclass(frozen=True, kw_only=True)
class LayerCycles:
    """Cycles of a layer in the last run, of those of its instructions that were logged."""

    layer: str
    cycles: int
    forecast: int  #: Without waits.
    waits: bool = False  #: Cycles may be more: it waits for the memory outside.

    @property
    def differs(self) -> bool:
        """It took other cycles than such a run does."""
        return self.cycles < self.forecast if self.waits else self.cycles != self.forecast


class Device:
    """A Spikeloom core behind a link.

    What is damaged or lost on the line is sent again (`Link`); where that does not help, and where
    the device refuses a request, SpikeloomError. A context manager, which closes the transport.

    Parameters
    ----------
    transport : Transport
        Where the device is, at ``hw.arch.link.BAUD``; see ``sw.host.open_port``.
    most : int
        Baud rate that is not to be exceeded.
    """

    def __init__(self, transport: Transport, most: int = max(RATES)):
        self.most, self.transport = most, transport
        self._link = Link(transport)
        self._opened = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the transport, where it can be closed."""
        close = getattr(self.transport, "close", None)
        if close is not None:
            close()

    @property
    def link(self) -> Link:
        """The session with the device, which the first use opens.

        NoReply where there is none: after a second where nothing answers, after ten where
        something else does.
        """
        if not self._opened:
            try:
                self._link.begin()
            except NoReply as error:
                raise NoReply(self._strange() or str(error)) from None
            self._link.negotiate(self.most)
            self._opened = True
        return self._link

    def _option(self) -> str:
        """The option that names the device's port to a command."""
        name = getattr(self.transport, "name", "")
        return f" --port {name}" if name else ""

    def _strange(self) -> str:
        """What is wrong where something answers that is no device; "" where nothing does."""
        heard, sent = (getattr(self.transport, name, b"") for name in ("heard", "sent"))
        if heard and heard[-8:] in sent:
            return (
                "the port sends back what it gets and no more: it is a loop or another device; "
                "choose another port (python -m sw.host list)"
            )
        if heard:
            return (
                f"what answers is no Spikeloom device, or one at another baud rate than "
                f"{link.BAUD}: {heard[-16:]!r}; choose another port (python -m sw.host list), or "
                "program the board anew (python -m hw.build --program)"
            )
        return ""

    @property
    def identity(self) -> Identity:
        """What the device is."""
        return self.link.identity

    # ---- programs ----------------------------------------------------------------------------

    def check(self, program: Any) -> None:
        """Refuse a program that was compiled for another core; SpikeloomError."""
        if program.digest != self.identity.digest:
            mine, its = program.config.as_dict(), self.identity.config.as_dict()
            other = [f"{k} {mine[k]} (device {its[k]})" for k in its if mine[k] != its[k]]
            raise SpikeloomError(
                f"program {program.name!r} has digest {program.digest:#010x}, the device "
                f"{self.identity.digest:#010x}: "
                + (", ".join(other) or "another instruction set")
                + "; compile the network for the device's configuration"
            )

    def idle(self) -> None:
        """Refuse to go on while a run is under way; SpikeloomError."""
        state = self.link.status()
        if state.busy:
            raise SpikeloomError(
                f"the device is busy: a run is at instruction word {state.pc} after "
                f"{state.cycles} cycles; wait for its end, or stop it: python -m sw.host"
                f"{self._option()} abort"
            )

    def holds(self, program: Any) -> bool:
        """Whether the device's memories hold the program and its weights, by their check sums."""
        self.check(program)
        self.idle()
        base, end = 0, program.columns.shape[1]
        for region in (r for r in program.regions if r.name == "constants"):
            base, end = region.base, region.base + region.size
        columns = program.columns[:, base:end]
        blocks = [(load_addr(Mem.PROG, 0), program.words), *outside.parts(program)]
        for bank in range(len(columns)):
            for part in range(columns.shape[2]):
                blocks.append((load_addr(Mem.COL, base, bank, part), columns[bank, :, part]))
        return all(outside.has(self.link, addr, words) for addr, words in blocks if len(words))

    def load(self, program: Any, progress: Callable[[int], Any] | None = None) -> None:
        """Write program and weights of a ``sw.compiler.Program``.

        What the memory outside holds already is left there. ``progress`` is called with the number
        of words of each frame.
        """
        self.check(program)
        self.idle()
        outside.load(self.link, program, progress)
        stream = program.load_stream()
        self.write(stream[np.argsort(stream[:, 0], kind="stable")], progress)  # CTRL is the last

    def write(self, stream: np.ndarray, progress: Callable[[int], Any] | None = None) -> None:
        """Do load port writes, uint32 [n, 2] of (address, data), in order."""
        for addr, words in bursts(stream):
            self.link.write(addr, words, progress)
        self.link.flush()

    def restart(self) -> None:
        """Begin a new stream: the next run takes membranes in memory as 0. So does `load`."""
        self.write(np.array([[load_addr(Mem.CTRL, 0), 0]], np.uint32))

    # ---- runs --------------------------------------------------------------------------------

    def status(self) -> State:
        """Return what the core does."""
        return self.link.status()

    def abort(self) -> State:
        """Stop the core, whatever it does; return its state."""
        return self.link.abort()

    def read(self, addr: int, n_words: int) -> np.ndarray:
        """Return pixel memory words from ``addr``, int64."""
        return _signed(self.link.read(load_addr(Mem.PIX, addr), n_words))

    def infer(self, program: Any, image: np.ndarray) -> Answer:
        """Run one image on the program, which the device must hold; see `load`.

        Of a stream program the image is the next step, and the logits are those of the step.
        A warning is given where the cycles are not the forecast's.
        """
        (answer,) = self.run(program, [image])
        return answer

    def run(self, program: Any, images: Iterable[np.ndarray]) -> Iterator[Answer]:
        """Run images as `infer` does, one after the other; yield an answer for each.

        The next image is sent while one is computed, but for stream programs.
        """
        self.check(program)
        most = 2 * program.first_cycles + SLOWEST * program.outside_words
        seconds = most / self.identity.clock + PATIENCE
        logits = load_addr(Mem.PIX, program.logits_base), program.classes
        sent = (list(bursts(program.image_stream(_frame(program, image)))) for image in images)
        groups = ([each] for each in sent) if program.stream else [sent]
        # Cycles and waits of the first run after a load, which loads its table too, and of others.
        first, later = ((program.run_cycles(n), sum(program.stalls(n))) for n in (0, 1))
        self.idle()
        for group in groups:
            for state, words in self.link.runs(group, *logits, limit=most, seconds=seconds):
                loads = state.cycles - state.stalls == first[0] - first[1]
                yield self._answer(program, first if loads else later, state, words)

    def layers(self, program: Any) -> list[LayerCycles]:
        """Return the cycles of the last run by layer, as far as its log goes."""
        state = self.link.status()
        spent = logged_cycles(self.link.log(state.logged).tolist(), state.cycles)
        parts, forecast = program.forecast, program.computing()
        loaded = next((n for n, cycles in enumerate(forecast) if cycles), 0)  # not run again
        if loaded and state.cycles - state.stalls == program.run_computing(0):
            loaded, forecast = 0, program.computing(0)
        if spent and loaded + len(spent) < len(parts):
            spent.pop()  # where the last one that was logged ended is not known
        logged = slice(loaded, loaded + len(spent))
        took, wanted = (by_layer(parts[logged], cycles) for cycles in (spent, forecast[logged]))
        return [
            LayerCycles(
                layer=name,
                cycles=cycles,
                forecast=wanted[name],
                waits=program.outside_words > 0,
            )
            for name, cycles in took.items()
        ]

    def _answer(
        self, program: Any, known: tuple[int, int], state: State, words: np.ndarray
    ) -> Answer:
        """What a run gave; ``known``: the cycles, and waits among them, that such a run takes."""
        if not state.done:
            if state.busy:
                self.abort()
            if state.stopped == Stopped.OUTSIDE:
                raise SpikeloomError(
                    f"the device's run was stopped after {state.cycles} cycles, at instruction "
                    f"word {state.pc}: the memory outside gives nothing; program the device anew, "
                    "and load the program again"
                )
            ended = "was stopped" if state.stopped == Stopped.WATCHDOG else "is not done"
            raise SpikeloomError(
                f"the device's run {ended} after {state.cycles} cycles; the forecast of "
                f"{program.name!r} is {program.cycles}: it holds another program or a damaged one; "
                f"{_RELOAD}"
            )
        forecast, waits = known
        answer = Answer(
            logits=_signed(words),
            scale=program.logits_scale,
            cycles=state.cycles,
            forecast=forecast,
            seconds=state.cycles / self.identity.clock,
            stalls=state.stalls,
            waits=waits,
        )
        if answer.differs:
            some = f" ({state.stalls} of them waits)" * bool(program.outside.size)
            warnings.warn(
                f"{OTHER_CYCLES} {state.cycles} cycles{some}, the forecast of {program.name!r} is "
                f"{program.cycles}: it holds another program or a damaged one, and the logits are "
                f"not to be trusted; {_RELOAD}",
                stacklevel=4,  # of `infer`
            )
        return answer


def _frame(program: Any, image: Any) -> np.ndarray:
    """One image as the network reads it; SpikeloomError if it does not fit."""
    *steps, channels, height, width = program.input_shape
    (frame,) = as_frames(
        image[None] if isinstance(image, np.ndarray) else [image],
        channels=channels,
        steps=program.steps,
        size=(height, width),
        per_step=bool(steps),
    )
    return frame


def bursts(stream: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Split load port writes, uint32 [n, 2], where addresses are not one bank's next words.

    Yields the first address of each part and its words, uint32.
    """
    stream = np.asarray(stream, np.uint32)
    if not len(stream):
        return
    addr = stream[:, 0].astype(np.int64)
    cuts = np.flatnonzero((np.diff(addr) != 1) | (addr[1:] % MOST_WORDS == 0)) + 1
    for part in np.split(stream, cuts):
        yield int(part[0, 0]), part[:, 1]


def _signed(words: np.ndarray) -> np.ndarray:
    return words.astype(np.int32).astype(np.int64)
