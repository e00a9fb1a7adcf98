"""Where a network has room: compiling for people, who are told what would hold it.

A forecast from depths alone, in a moment: block RAMs of a core are counted as synthesis places
them; logic is not counted.
"""

import dataclasses
import math

import boards
from boards.dies import Block
from hw.arch.config import Config
from hw.arch.outside import CONTRACT, Contract
from hw.arch.parts import Memory, memories
from hw.common.errors import SpikeloomError
from sw.compiler import MisfitError, Program, compile_network, fit_config
from sw.network import IntegerNetwork


def rams_of(config: Config, block: Block) -> list[tuple[Memory, float]]:
    """Block RAMs of the kind ``block``, and parts of them, of each memory of a core in such."""
    return [
        (memory, memory.count * block.ram.blocks(memory.width, memory.depth) / block.each)
        for memory in memories(config)
        if not memory.registers and not (memory.small and block.spared)
    ]


def block_rams(config: Config, block: Block) -> int:
    """Block RAMs of the kind ``block`` that a core's memories take."""
    return math.ceil(sum(blocks for _, blocks in rams_of(config, block)))


def room(network: IntegerNetwork, config: Config) -> list[str]:
    """Say which boards' cores hold a network, and what fitted cores would take on the others.

    Boards of which the same is to be said share a line; those that have no room share one too.
    """
    holds, fitted = [], {}
    for name in boards.NAMES:
        board = boards.get(name)
        if _fits(network, board.config):
            holds.append(name)
        else:
            fitted.setdefault((board.config, board.die.block, _budget(board)), []).append(name)
    there, full, never = [], [], []
    for (core, block, budget), names in fitted.items():
        who, taken = ", ".join(names), _taken(network, core, block)
        if taken is None:
            never += names
        elif taken <= budget:
            there.append(f"{who} with --fit: {taken} of {budget} {block.title}, room for it")
        else:
            full.append(f"{who} {taken} of {budget} {block.title}")
    lines = [f"the core of {' and of '.join(holds)} holds it (--board {holds[0]})"] if holds else []
    lines = lines or ["no board's core holds it as it stands"]
    lines += there
    lines += [f"with --fit too many: {', '.join(full)}"] if full else []
    lines += [f"no core of {', '.join(never)} holds it, however deep its memories"] if never else []
    core = _fit(network, config)
    if core is None:
        return lines
    changed = ",".join(
        f"{f.name}={getattr(core, f.name)}"
        for f in dataclasses.fields(Config)
        if getattr(core, f.name) != getattr(config, f.name)
    )
    return [*lines, f"--fit makes this core's memories deep enough: {changed}"]


def _budget(board: boards.Board) -> int:
    return board.resources[board.die.block.resource]


def _fits(network: IntegerNetwork, config: Config) -> bool:
    try:
        compile_network(network, config)
    except SpikeloomError:
        return False
    return True


def _fit(network: IntegerNetwork, config: Config) -> Config | None:
    """The core with memories as deep as the network needs; None where that is not enough."""
    try:
        core = fit_config(network, config)
    except SpikeloomError:
        return None
    return core if _fits(network, core) else None


def _taken(network: IntegerNetwork, config: Config, block: Block) -> int | None:
    """Block RAMs of the fitted core, where there is one."""
    core = _fit(network, config)
    return None if core is None else block_rams(core, block)


def compile_told(network: IntegerNetwork, config: Config, contract: Contract = CONTRACT) -> Program:
    """Compile; a network that is too large for the core is told where there is room."""
    try:
        return compile_network(network, config, contract)
    except MisfitError as error:
        advice = "\n  ".join(room(network, config))
        raise SpikeloomError(f"{error}\nwhere there is room:\n  {advice}") from None
