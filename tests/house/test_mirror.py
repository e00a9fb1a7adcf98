"""Every module has a test file of its name, in the folder that mirrors its package."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Folder of the tests of a package, and of its subpackages below it; the longest fits.
FOLDERS = {
    "boards": "boards",
    "hw/arch": "arch",
    "hw/build": "build",
    "hw/common": "common",
    "hw/core": "unit",
    "hw/outside": "outside",
    "hw/soc": "soc",
    "hw/targets": "targets",
    "hw/tools": "tools",
    "sim": "sim",
    "sim/interpreter": "interpreter",
    "sw": "sw",
    "sw/agree": "agree",
    "sw/compiler": "compiler",
    "sw/data": "datasets",  # tests/data holds fixtures
    "sw/families": "families",
    "sw/frontend": "frontend",
    "sw/golden": "golden",
    "sw/graph": "graph",
    "sw/host": "host",
    "sw/lower": "lower",
    "sw/network": "network",
    "sw/nn": "nn",
    "sw/page": "page",
    "sw/testing": "testing",
    "sw/train": "train",
}
#: Modules without a test file of their own, and what tests them.
ELSEWHERE = {
    "boards/arty_a7.py": "a board's facts: every test of tests/boards runs for each board",
    "boards/arty_a7_100.py": "as arty_a7",
    "boards/cmod_a7.py": "as arty_a7",
    "boards/colorlight_i5.py": "as arty_a7",
    "boards/ecpix5.py": "as arty_a7",
    "boards/ecpix5_45f.py": "as arty_a7",
    "boards/nexys_video.py": "as arty_a7",
    "boards/ulx3s.py": "as arty_a7",
    "boards/ulx3s_12f.py": "as arty_a7",
    "boards/ulx3s_25f.py": "as arty_a7",
    "boards/ulx3s_45f.py": "as arty_a7",
    "hw/common/errors.py": "one class; every refusal",
    "hw/outside/litedram_child.py": "runs in a process of its own: tests/outside/test_litedram.py",
    "hw/tools/yosys_child.py": "runs in a process of its own: tests/tools/test_yosys.py",
    "sim/cocotb_bench.py": "runs inside a simulator: tests/cocotb",
    "sw/network/values.py": "types only: tests/network/test_checks.py, every lane of tests/golden",
}


def modules():
    for top in ("boards", "hw", "sim", "sw"):
        for path in sorted((ROOT / top).rglob("*.py")):
            if path.stem not in ("__init__", "__main__"):
                yield path.relative_to(ROOT)


def mirror(module):
    """The test file of a module."""
    package = next(p for p in (module.parent, *module.parents) if p.as_posix() in FOLDERS)
    folder = Path("tests") / FOLDERS[package.as_posix()] / module.parent.relative_to(package)
    return folder / f"test_{module.stem}.py"


@pytest.mark.parametrize("module", list(modules()), ids=Path.as_posix)
def test_a_test_file_of_its_name(module):
    here = (ROOT / mirror(module)).is_file()
    if module.as_posix() in ELSEWHERE:
        assert not here, f"take {module} out of ELSEWHERE"
    else:
        assert here, f"{module} has no {mirror(module)}"


def test_no_exception_is_left_over():
    known = {m.as_posix() for m in modules()}
    assert set(ELSEWHERE) <= known
