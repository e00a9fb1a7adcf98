"""Child process of ``hw.outside.litedram``: LiteDRAM's controller of an SDR SDRAM, as Verilog.

Usage: ``python litedram_child.py SETTINGS FOLDER``; SETTINGS is a file of JSON, and FOLDER takes
what the generator writes. The data pins are three words (out, in, not driven), each bit through a
register of its pin, so that whoever holds the pins places the tristate buffers.
"""

# Migen's statements have no types, and the packages may not be there.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false, reportOptionalMemberAccess=false

import json
import sys
from pathlib import Path

NAME = "litedram_core"  #: The module.


def main(settings: str, folder: str) -> None:
    """Write the controller; an error ends the process with status 1."""
    import litedram.modules
    import litedram.phy
    from litedram.gen import LiteDRAMCore
    from litex.build.generic_platform import Pins, Subsignal
    from litex.build.io import SDRInput, SDROutput, SDRTristate
    from litex.build.lattice import LatticePlatform
    from litex.soc.integration.builder import Builder
    from migen import Module

    given = json.loads(Path(settings).read_text(encoding="utf-8"))

    class Sdram(litedram.modules.SDRModule):
        nbanks, nrows, ncols = given["banks"], given["rows"], given["columns"]
        technology_timings = litedram.modules._TechnologyTimings(
            tREFI=given["refresh"], tWTR=(2, None), tCCD=(1, None), tRRD=(None, given["rrd"])
        )
        speedgrade_timings = {
            "default": litedram.modules._SpeedgradeTimings(
                tRP=given["rp"],
                tRCD=given["rcd"],
                tWR=given["wr"],
                tRFC=(None, given["rfc"]),
                tFAW=None,
                tRAS=given["ras"],
            )
        }

    platform = LatticePlatform(given["device"], io=[], toolchain="trellis")
    pins = Pins(given["width"])
    platform.add_extension([("sdram_dq", 0, Subsignal("i", pins), Subsignal("t", pins))])
    data = platform.request("sdram_dq")

    class Split:
        """The registers of a data pin, without the tristate buffer."""

        @staticmethod
        def lower(pin):
            m, n = Module(), pin.io.start
            m.specials += SDROutput(pin.o, pin.io, pin.clk)
            m.specials += SDROutput(~pin.oe, data.t[n], pin.clk)
            m.specials += SDRInput(data.i[n], pin.i, pin.clk)
            return m

    overrides = platform.toolchain.special_overrides
    platform.toolchain.special_overrides = {**overrides, SDRTristate: Split}
    config = {
        "cpu": None,
        "memtype": "SDR",
        "uart": "rs232",
        "sdram_module": Sdram,
        "sdram_module_nb": given["width"] // 8,
        "sdram_rank_nb": 1,
        "sdram_phy": litedram.phy.GENSDRPHY,
        "sys_clk_freq": float(given["clock"]),
        "input_clk_freq": float(given["clock"]),
        "cmd_buffer_depth": 8,
        # it precharges by itself as soon as tRCD is over, and tRAS may not be
        "with_auto_precharge": False,
        "user_ports": {"native_0": {"type": "native", "block_until_ready": False}},
    }
    builder = Builder(
        LiteDRAMCore(platform, config, integrated_rom_size=0xC000),
        output_dir=folder,
        csr_csv=str(Path(folder) / "csr.csv"),
        compile_software=False,
        compile_gateware=False,
    )
    builder.build(build_name=NAME, regular_comb=False)


if __name__ == "__main__":
    main(*sys.argv[1:3])
