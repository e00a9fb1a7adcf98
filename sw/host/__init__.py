"""Host side of the link: load programs into a device, run images, read logits."""

from sw.host.device import Answer, Device, open_port

__all__ = ["Answer", "Device", "open_port"]
