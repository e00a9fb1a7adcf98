"""Host side of the link: load programs into a device, run images, read logits, test it."""

from sw.host.device import Answer, Device, open_port
from sw.host.selftest import SelfTest, self_test

__all__ = ["Answer", "Device", "SelfTest", "open_port", "self_test"]
