"""Host side of the link: load programs into a device, run images, read logits, test it.

::

    with sw.host.open_port("/dev/ttyUSB1") as board:
        board.load(program)
        answer = board.infer(program, image)
"""

from sw.host.device import Answer, Device
from sw.host.port import open_port
from sw.host.selftest import SelfTest, self_test

__all__ = ["Answer", "Device", "SelfTest", "open_port", "self_test"]
