"""Compare the block-RAM contents of a netlist with a program's memory images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hw.common.errors import SpikeloomError
from hw.tools.bram import block_memories
from hw.tools.netlist import Netlist


@dataclass(frozen=True)
class Image:
    """What the memory at ``path`` of the netlist must hold from word 0; the rest is 0."""

    path: str
    width: int
    depth: int
    granularity: int | None
    words: list[int]


def images(program: Any, core: str = "design.core") -> Iterator[Image]:
    """Yield the images of the core's initialised memories, at the paths they have in a netlist."""
    c = program.config
    yield Image(f"{core}.prog.mem", 32, c.prog_depth, None, [int(w) for w in program.words])
    for bank, words in enumerate(program.columns.tolist()):
        joined = [sum(part << 32 * i for i, part in enumerate(word)) for word in words]
        yield Image(f"{core}.col.bank_{bank}.mem", c.width, c.col_depth, 8, joined)


def refuse_other_contents(netlist: Netlist, program: Any) -> int:
    """Raise SpikeloomError where contents differ from the program's; return the words compared."""
    found, compared = block_memories(netlist), 0
    for image in images(program):
        if image.path not in found:
            raise SpikeloomError(
                f"netlist: no block RAM for memory {image.path}; memories: {sorted(found)}"
            )
        got = found[image.path].words(
            width=image.width, depth=image.depth, granularity=image.granularity
        )
        wanted = image.words + [0] * (image.depth - len(image.words))
        for addr, (g, w) in enumerate(zip(got, wanted, strict=True)):
            if g != w:
                raise SpikeloomError(
                    f"netlist: memory {image.path} holds {g:#x} at word {addr}, but the program "
                    f"wants {w:#x}"
                )
        compared += len(got)
    return compared
