"""Where a network has room: compiling for people, who are told what would hold it.

A forecast from depths alone, in a moment: block RAMs of a core are counted as synthesis places
them; logic is not counted.
"""

import dataclasses

import boards
from boards.dies import Block
from hw.arch.config import Config
from hw.arch.parts import memories
from hw.common.errors import SpikeloomError
from sw.compiler import MisfitError, Program, compile_network, fit_config
from sw.network import IntegerNetwork


def block_rams(config: Config, block: Block) -> int:
    """Block RAMs of the kind ``block`` that a core's memories take."""
    blocks = 0
    for memory in memories(config):
        if not memory.registers:
            copies = 1 if block.shared else memory.reads
            blocks += memory.count * copies * block.ram.blocks(memory.width, memory.depth)
    return -(-blocks // block.each)


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
    block = board.die.block
    budget = board.resources[block.resource]
    try:
        core = fit_config(network, board.config)
        compile_network(network, core)
    except SpikeloomError:
        return f"{board.name}: no core of its size holds it, however deep its memories"
    taken = block_rams(core, block)
    verdict = "room for it" if taken <= budget else "too many"
    return f"{board.name} with --fit: {taken} of {budget} {block.title}, {verdict}"


def compile_told(network: IntegerNetwork, config: Config) -> Program:
    """Compile; a network that is too large for the core is told where there is room."""
    try:
        return compile_network(network, config)
    except MisfitError as error:
        advice = "\n  ".join(room(network, config))
        raise SpikeloomError(f"{error}\nwhere there is room:\n  {advice}") from None
