"""What a page tells, from a program: one image run on the interpreter, and what others know."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hw.common.errors import SpikeloomError
from sim.interpreter import Run, interpret
from sw.compiler.program import Program
from sw.golden import run as run_golden
from sw.host.samples import Images, first_images, noise, one_image, own_data
from sw.network import IntegerNetwork
from sw.page.facts import Checked, Confusion, Page, Sample
from sw.page.firing import attention, spikes, tensors
from sw.page.tenancy import memories
from sw.page.timeline import timeline
from sw.page.traffic import accesses

STEPS = 8  #: Frames of a stream that are shown.
BATCH = 500  #: Images of a confusion matrix that run at a time.


def gather(
    program: Program,
    network: IntegerNetwork | None = None,
    *,
    sample: Images | None = None,
    note: str = "",
    images: int | None = None,
    report: Mapping[str, Any] | None = None,
    titles: Mapping[str, str] | None = None,
    checked: Checked | None = None,
) -> Page:
    """Return what a page tells of a program.

    Parameters
    ----------
    network : what it was compiled from; without it tensors are shown in memory until their words
        are written again, and no golden model runs.
    sample : the image that is shown, of a stream its steps; default the first image of the
        network's own data set, or noise, and ``note`` says why.
    images : so many test images of the network's own data set give a confusion matrix.
    report : report.json of a build.
    titles : of the resources in it.
    checked : what a simulation on RTL compared.
    """
    data = own_data(program.input_shape, network.meta.get("data") if network else None)
    matrix = None if images is None else confusion(program, network, images, data)
    if sample is None:
        sample, note = choose(program, data)
    runs = _run(program, sample)
    found, line = tensors(program, runs), timeline(program)
    return Page(
        name=program.name,
        core=program.config.as_dict(),
        steps=len(runs) if program.stream else program.steps,
        stream=program.stream,
        digest=program.digest,
        program_words=len(program.words),
        first_cycles=program.first_cycles,
        timeline=line,
        memories=memories(program, line.spans, line.total, network),
        accesses=accesses(program, runs[-1]),
        spikes=spikes(program, found),
        attention=attention(program, found, network),
        sample=Sample(
            name=sample.title,
            pixels=sample.pixels[-1].reshape(program.input_shape),
            label=int(sample.labels[0]) if sample.labels else None,
            logits=runs[-1].logits,
            scale=program.logits_scale,
            note=note,
        ),
        exact=network is not None,
        confusion=matrix,
        report=dict(report or {}),
        titles=dict(titles or {}),
        checked=checked,
    )


def choose(program: Program, data: str) -> tuple[Images, str]:
    """Return the image that is shown where none is given, and why it is noise, if it is."""
    count = STEPS if program.stream else 1
    if not data:
        return noise(count, program.input_shape), "the network names no data set of still images"
    try:
        found = one_image(f"{data}:0", program.input_shape, program.classes, data)
    except SpikeloomError as error:
        return noise(count, program.input_shape), str(error)
    if not program.stream:
        return found, ""
    steps = Images(pixels=np.repeat(found.pixels, count, axis=0), names=found.names)
    return steps, f"the image is each of the {count} steps of a stream"


def _run(program: Program, sample: Images) -> list[Run]:
    """Run the steps of a stream; else one image, its table kept from one before."""
    pixels = sample.pixels
    if program.stream:
        return list(interpret(program, pixels))
    again = program.first_cycles != program.cycles
    return list(interpret(program, np.concatenate([pixels[:1]] * (1 + again))))[-1:]


def confusion(
    program: Program, network: IntegerNetwork | None, images: int, data: str
) -> Confusion:
    """Return labels against predictions of the first test images of the network's data set."""
    if program.stream or network is None:
        why = "its images are steps of a stream" if program.stream else "its network is not here"
        raise SpikeloomError(
            f"--images: {program.name} has no confusion matrix, {why}; leave it out"
        )
    found = first_images(images, program.input_shape, program.classes, data)
    if not found.labels:
        raise SpikeloomError(
            f"--images: {data} has other classes than {program.name}; leave it out"
        )
    counts = np.zeros((program.classes, program.classes), np.int64)
    for at in range(0, images, BATCH):
        predictions = run_golden(network, found.pixels[at : at + BATCH]).predictions
        np.add.at(counts, (np.array(found.labels[at : at + BATCH]), predictions), 1)
    return Confusion(data=data, counts=counts)
