"""How long images take over the link, beside the core's own time."""

import math
from typing import Any

from hw.arch import link

FRAME = 1 + link.HEAD.size + 2  #: Bytes of a frame without payload.
BITS = 10  #: Of a byte on the line: start, eight, stop.


def exchange_bytes(program: Any) -> int:
    """Bytes on the line for one image, both ways, if nothing is said twice.

    The image in WRITE_BYTES, START, one STATUS that finds the core done, the logits by READ.
    """
    writes = math.ceil(program.input_count / link.MAX_BYTES)
    reads = math.ceil(program.classes / link.MAX_WORDS)
    image = writes * (2 * FRAME + link.ADDR_BYTES) + program.input_count
    status = 2 * FRAME + link.STATUS_PAYLOAD
    logits = reads * (2 * FRAME + link.READ_PAYLOAD) + 4 * program.classes
    return image + 2 * FRAME + status + logits


def link_seconds(program: Any, baud: int = link.BAUD) -> float:
    """Least time that one image takes on the line, in seconds; the host's delays come on top."""
    return exchange_bytes(program) * BITS / baud
