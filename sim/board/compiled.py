"""The compiled simulator of a board's whole top."""

from pathlib import Path

from boards import Board
from hw.arch.outside import CONTRACT
from sim import verilator

FOLDER = Path(__file__).parent
BENCH, MAIN = FOLDER / "tb.sv", FOLDER / "main.cpp"


def compile_board(board: Board) -> Path:
    """Return the executable; the first time for a board it is compiled, which takes minutes.

    Any network runs on it. SpikeloomError where a tool is missing, or fails.
    """
    verilator.tools()  # say what is missing before the work begins

    def make(folder: Path) -> tuple[str, str]:
        from hw.tools.looped import looped
        from sim.board.top import BenchTop

        top = BenchTop(board)
        return looped(top, folder, name="top", ports=top.ports)

    own = (FOLDER / "top.py").read_text(encoding="utf-8")
    sources = verilator.sources_digest("soc")
    key = verilator.digest("board", sources, own, board.config.as_dict(), board.core_clock)
    verilog, cpp = verilator.kept_sources(key, make)
    if not board.config.block_depth:
        return verilator.compile_bench(verilog, BENCH, main=MAIN, cpp=cpp) / "free"
    keeps = {"LATENCY": CONTRACT.latency, "PERIOD": CONTRACT.period}
    verilog += verilator.OUTSIDE.read_text(encoding="utf-8")
    defines = ("OUTSIDE",)
    return verilator.compile_bench(verilog, BENCH, keeps, "", MAIN, cpp, defines) / "free"
