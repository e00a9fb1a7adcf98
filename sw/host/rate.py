"""How long images take over the link, beside the core's own time."""

import math
from typing import Any

from hw.arch import link

FRAME = 1 + link.HEAD.size + 2  #: Bytes of a frame without payload.
BITS = 10  #: Of a byte on the line: start, eight, stop.


def exchange_bytes(program: Any) -> int:
    """Bytes on the line for one image, both ways, if nothing is said twice.

    The image by WRITE, or WRITE_BYTES where a word has one byte of it, START, one STATUS that
    finds the core done, the logits by READ.
    """
    image = sum(_write_bytes(program.image_words, n) for n in _image_bytes(program))
    reads = math.ceil(program.classes / link.MAX_WORDS)
    status = 2 * FRAME + link.STATUS_PAYLOAD
    logits = reads * (2 * FRAME + link.READ_PAYLOAD) + 4 * program.classes
    return image + 2 * FRAME + status + logits


def _image_bytes(program: Any) -> list[int]:
    """Bytes of the image in a word, of each run of consecutive words."""
    if program.image_memory == "pix":
        return [1]
    channels = program.input_shape[-3]
    return [min(4, channels - at) for at in range(0, channels, 4)] * program.config.rows


def _write_bytes(words: int, used: int) -> int:
    """Bytes on the line for consecutive words of which ``used`` bytes are not always 0."""
    most, size = (link.MAX_BYTES, 1) if used == 1 else (link.MAX_WORDS, 4)
    return math.ceil(words / most) * (2 * FRAME + link.ADDR_BYTES) + size * words


def link_seconds(program: Any, baud: int = link.BAUD) -> float:
    """Least time that one image takes on the line, in seconds; the host's delays come on top."""
    return exchange_bytes(program) * BITS / baud
