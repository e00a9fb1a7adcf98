"""Where a network has room: compiling for people, who are told what would hold it.

A forecast from depths alone, in a moment: block RAMs of a core are counted as synthesis places
them; logic is not counted.
"""

import dataclasses

import boards
from hw.arch.config import Config
from hw.arch.parts import Ram, memories
from hw.common.errors import SpikeloomError
from sw.compiler import MisfitError, Program, compile_network, fit_config
from sw.network import IntegerNetwork

_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
#: A family's block of 18 kbit, and how many of them one unit of its budget is.
BLOCKS = {
    "xc7": ("bram36", "RAMB36", Ram(name="RAMB18E1", count=0, shapes=_SHAPES), 2),
    "ecp5": ("bram18", "DP16KD", Ram(name="DP16KD", count=0, shapes=_SHAPES), 1),
}


def block_rams(config: Config, family: str) -> int:
    """Block RAMs (RAMB36 or DP16KD) that a core's memories take on a family's parts."""
    _, _, ram, per = BLOCKS[family]
    blocks = 0
    for memory in memories(config):
        if not memory.registers:
            copies = memory.reads if family == "ecp5" else 1  # both ports of a RAMB18 read
            blocks += memory.count * copies * ram.blocks(memory.width, memory.depth)
    return -(-blocks // per)


def room(network: IntegerNetwork, config: Config) -> list[str]:
    """Say which boards' cores hold a network, and what fitted cores would take on each board."""
    holds, lines = [], []
    for name in boards.NAMES:
        board = boards.get(name)
        try:
            compile_network(network, board.config)
        except SpikeloomError:
            lines.append(_fitted(network, board))
        else:
            holds.append(name)
    if holds:
        lines = [f"the core of {' and of '.join(holds)} holds it (--board {holds[0]})", *lines]
    else:
        lines.append("no board's core holds it as it stands")
    try:
        core = fit_config(network, config)
        compile_network(network, core)
    except SpikeloomError:
        return lines
    changed = ",".join(
        f"{f.name}={getattr(core, f.name)}"
        for f in dataclasses.fields(Config)
        if getattr(core, f.name) != getattr(config, f.name)
    )
    return [*lines, f"--fit makes this core's memories deep enough: {changed}"]


def _fitted(network: IntegerNetwork, board: boards.Board) -> str:
    """What the core of a board takes there with memories as deep as the network needs."""
    key, unit, _, _ = BLOCKS[board.family]
    budget = board.resources[key]
    try:
        core = fit_config(network, board.config)
        compile_network(network, core)
    except SpikeloomError:
        return f"{board.name}: no core of its size holds it, however deep its memories"
    taken = block_rams(core, board.family)
    verdict = "room for it" if taken <= budget else "too many"
    return f"{board.name} with --fit: {taken} of {budget} {unit}, {verdict}"


def compile_told(network: IntegerNetwork, config: Config) -> Program:
    """Compile; a network that is too large for the core is told where there is room."""
    try:
        return compile_network(network, config)
    except MisfitError as error:
        advice = "\n  ".join(room(network, config))
        raise SpikeloomError(f"{error}\nwhere there is room:\n  {advice}") from None
