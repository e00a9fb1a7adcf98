"""Programs and the networks that they were compiled from."""

import zipfile

import numpy as np

from hw.common.errors import SpikeloomError
from sw.compiler.compile import compile_network
from sw.compiler.program import Program
from sw.network import IntegerNetwork


def is_program(path: str) -> bool:
    """Whether a file is a compiled program, by the names of its members."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {"words.npy", "columns.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def check_origin(program: Program, network: IntegerNetwork) -> None:
    """SpikeloomError where ``program`` cannot have been compiled from ``network``: other shapes."""
    frames = (network.steps,) if network.per_step_input else ()
    mine = {
        "input": [*frames, network.channels, network.height, network.width],
        "classes": network.classes,
        "steps": network.steps,
        "stream": network.stream,
    }
    its = {
        "input": list(program.input_shape),
        "classes": program.classes,
        "steps": program.steps,
        "stream": program.stream,
    }
    other = [f"{key} {mine[key]} (program {its[key]})" for key in mine if mine[key] != its[key]]
    if other:
        raise SpikeloomError(
            f"network {network.name!r} is not the one that program {program.name!r} was compiled "
            f"from: {', '.join(other)}; give that one, lowered in the same way"
        )


def is_compiled_from(program: Program, network: IntegerNetwork) -> bool:
    """Whether ``network`` compiles to what ``program`` loads into a core."""
    try:
        made = compile_network(network, program.config)
    except SpikeloomError:
        return False
    return np.array_equal(made.load_stream(), program.load_stream())


def doubt(program: Program, network: IntegerNetwork) -> str:
    """What to add to a difference of their logits where the network compiles to another program."""
    if is_compiled_from(program, network):
        return ""
    return (
        f"; {network.name!r} compiles to another program than this one: is it the network that "
        "the program was made from?"
    )
