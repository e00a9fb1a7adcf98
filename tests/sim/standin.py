"""A core that stands in for the real one: small, and quick to compile."""

from pathlib import Path

#: Its Verilog; what its memories do is in the comments there.
SOURCE = (Path(__file__).parent / "standin.v").read_text(encoding="utf-8")
