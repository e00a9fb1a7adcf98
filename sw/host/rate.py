"""How long images take over the link, beside the core's own time."""

import math
from typing import Any

from hw.arch import link

FRAME = 2 + link.HEAD.size + link.CRC_BYTES  #: Bytes of a frame without payload, ENDs too.
BITS = 10  #: Of a byte on the line: start, eight, stop.


def sent_bytes(program: Any) -> int:
    """Bytes to the device for one image, if nothing is said twice and no byte is stuffed.

    The image by WRITE, or WRITE_BYTES where a word has one byte of it, START, and a RESULT for
    each part of the logits. What comes back are fewer, at the same time.
    """
    image = sum(_write_bytes(program.image_words, n) for n in _image_bytes(program))
    results = max(1, math.ceil(program.classes / link.RESULT_WORDS))
    start, result = link.START_REQUEST.size, link.READ_REQUEST.size
    return image + FRAME + start + results * (FRAME + result)


def _image_bytes(program: Any) -> list[int]:
    """Bytes of the image in a word, of each run of consecutive words."""
    if program.image_memory == "pix":
        return [1]
    channels = program.input_shape[-3]
    return [min(4, channels - at) for at in range(0, channels, 4)] * program.config.rows


def _write_bytes(words: int, used: int) -> int:
    """Bytes on the line for consecutive words of which ``used`` bytes are not always 0."""
    most, size = (link.MAX_BYTES, 1) if used == 1 else (link.MAX_WORDS, 4)
    return math.ceil(words / most) * (FRAME + link.ADDR_BYTES) + size * words


def link_seconds(program: Any, baud: int = max(link.RATES)) -> float:
    """Least time that one image takes on the line, in seconds; the host's delays come on top."""
    return sent_bytes(program) * BITS / baud


def load_seconds(program: Any, baud: int = max(link.RATES)) -> float:
    """Least time that a whole program takes on the line, its words outside too, in seconds."""
    words = len(program.load_stream()) + len(program.outside)
    return _write_bytes(words, 4) * BITS / baud
