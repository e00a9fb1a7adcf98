"""Images through a device, compared with the golden model, and cycles with the forecast."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.interpreter import interpret
from sw.compiler.origin import check_origin, doubt
from sw.compiler.program import Program
from sw.golden import run
from sw.host import outside
from sw.host.device import OTHER_CYCLES, Answer, Device
from sw.network import IntegerNetwork


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """What a self-test found."""

    answers: tuple[Answer, ...]  #: One per image.
    model: str  #: What gave the expected logits: "golden model" or "interpreter".
    #: A sentence per image that differs and per part of the memory outside; none if all is right.
    faults: tuple[str, ...]

    @property
    def predictions(self) -> list[int]:
        """Class of each image."""
        return [answer.prediction for answer in self.answers]


def self_test(
    device: Device,
    program: Program,
    images: np.ndarray,
    network: IntegerNetwork | None = None,
    names: Sequence[str] = (),
) -> SelfTest:
    """Run images on a device that holds ``program``; see `Device.load`.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (B, *program.input_shape).
    network : IntegerNetwork, optional
        What the program was compiled from: the logits are compared with its golden model. Without
        it they are compared with the interpreter, which cannot see a fault of the program itself.
    names : sequence of str
        How faults call the images; default their numbers.
    """
    if network is None:
        wanted = [one.logits.tolist() for one in interpret(program, images, events=False)]
    else:
        check_origin(program, network)
        wanted = run(network, images).logits.tolist()
    model = "interpreter" if network is None else "golden model"
    if program.stream:
        device.restart()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", OTHER_CYCLES)  # the cycles are compared below
        answers = tuple(device.run(program, images))
    faults = outside.faults(device.link, program)
    added = None
    for n, (answer, logits) in enumerate(zip(answers, wanted, strict=True)):
        found = []
        if answer.logits.tolist() != logits:
            found.append(
                f"logits {answer.logits.tolist()} (class {answer.prediction}), {model} {logits} "
                f"(class {int(np.argmax(logits))})"
            )
            if added is None:
                added = "" if network is None else doubt(program, network)
            found[-1] += added
        forecast = program.cycles if n else answer.forecast  # the first may load a table
        if answer.differs or answer.forecast != forecast:
            found.append(f"{answer.cycles} cycles, forecast {forecast}")
        if found:
            faults.append(f"image {names[n] if names else n}: {'; '.join(found)}")
    return SelfTest(answers=answers, model=model, faults=tuple(faults))
