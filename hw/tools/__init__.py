"""Outside tools: Yosys, nextpnr, packers and loaders; export of RTL; reading of netlists."""

from hw.tools.errors import ToolchainNotFound, ToolFailed
from hw.tools.export import export_rtlil, export_verilog
from hw.tools.yosys import run_yosys

__all__ = ["ToolFailed", "ToolchainNotFound", "export_rtlil", "export_verilog", "run_yosys"]
