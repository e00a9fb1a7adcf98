"""The open 7-series flow is found in the layout of every installer."""

import dataclasses
import json

import pytest

from hw.common.errors import SpikeloomError
from hw.tools import find, openxc7
from hw.tools.openxc7 import Missing, find_flow
from tests.tools import installs
from tests.tools.installs import BASE, PART, SERIES


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """Nothing is installed: no variable is set, no installer's folder is there."""
    tools = [find.TOOLS[t].variable for t in ("nextpnr-xilinx", "fasm2frames", "xc7frames2bit")]
    names = [*tools, "FPGA_AS", openxc7.CHIPDB, openxc7.DATABASE, "NEXTPNR_XILINX_DIR"]
    names += ["APIO_HOME", "APIO_PACKAGES", "NEXTPNR_XILINX_CHIPDB_DIR", "ARTIX7_CHIPDB"]
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    roots = tuple(r for r in find.OPENXC7_ROOTS if not r.startswith("/"))
    for tool in list(find.TOOLS.values()):
        if tool.roots:
            monkeypatch.setitem(find.TOOLS, tool.name, _with_roots(tool, roots))
    monkeypatch.setattr(find, "OPENXC7_ROOTS", roots)


def _with_roots(tool, roots):
    return dataclasses.replace(tool, roots=roots)


def index(root, name, schema=5, generated=True):
    entry = {"family": SERIES, "base-part": BASE, "speed": "1", "generated": generated}
    entry |= {"chipdb": name} if name else {}
    text = json.dumps({"schema": schema, "parts": {PART: entry}})
    (root / "XILINX-PARTS-INDEX.json").write_text(text, encoding="utf-8")


def apio(root, himbaechel=False, name=f"{BASE}.bin", chip=True):
    """apio's package: wrappers in bin, databases, an index."""
    installs.router(root / "bin" / "nextpnr-xilinx", "0.9.3", himbaechel)
    installs.pair(root / "bin")
    installs.database(root / "share/nextpnr/external/prjxray-db")
    index(root, name)
    if chip:
        installs.chip(root / "chipdb" / name)
    return root


@pytest.mark.parametrize("where", ["home", "APIO_HOME", "APIO_PACKAGES"])
def test_apio(where, monkeypatch, tmp_path):
    place = {
        "home": tmp_path / "home/.apio/packages",
        "APIO_HOME": tmp_path / "a b/packages",
        "APIO_PACKAGES": tmp_path / "packages",
    }[where]
    root = apio(place / "openxc7")
    if where == "APIO_HOME":
        monkeypatch.setenv(where, str(tmp_path / "a b"))
    if where == "APIO_PACKAGES":
        monkeypatch.setenv(where, str(place))
    flow = find_flow(PART, SERIES)
    assert flow.router.command == str(root / "bin/nextpnr-xilinx")
    assert not flow.router.himbaechel
    assert flow.chipdb == root / "chipdb" / f"{BASE}.bin"
    assert flow.database == root / "share/nextpnr/external/prjxray-db" / SERIES
    assert flow.assembler == ("fasm2frames", "xc7frames2bit")


def test_apio_with_himbaechel_and_the_die_of_the_50t(tmp_path):
    root = apio(tmp_path / "home/.apio/packages/openxc7", True, "chipdb-xc7a50t.bin")
    flow = find_flow(PART, SERIES)
    assert flow.router.himbaechel
    assert flow.chipdb == root / "chipdb/chipdb-xc7a50t.bin"


def test_apio_that_ships_its_databases(tmp_path):
    """The index names no file; the router's own folder has them."""
    root = apio(tmp_path / "home/.apio/packages/openxc7", True, "x", chip=False)
    index(root, "", schema=8)
    chip = installs.chip(root / "share/nextpnr/himbaechel/xilinx/chipdb-xc7a50t.bin")
    assert find_flow(PART, SERIES).chipdb == chip


def test_the_index_names_the_database(tmp_path):
    root = apio(tmp_path / "home/.apio/packages/openxc7", name="another.bin")
    assert find_flow(PART, SERIES).chipdb == root / "chipdb/another.bin"


def test_the_package_of_apio_alone(tmp_path):
    root = apio(tmp_path / "home/.local/openxc7")
    assert find_flow(PART, SERIES).router.command == str(root / "bin/nextpnr-xilinx")


def test_apio_that_has_not_fetched_the_database_yet(tmp_path):
    root = apio(tmp_path / "home/.apio/packages/openxc7", chip=False)
    with pytest.raises(Missing) as e:
        find_flow(PART, SERIES)
    assert e.value.why == (
        f"the chip database of {PART} is not in {root}; apio fetches it with the first "
        "'apio build' of a project for a board of that part"
    )


def test_apio_that_has_no_database_of_the_part(tmp_path):
    root = apio(tmp_path / "home/.apio/packages/openxc7", chip=False)
    index(root, "", generated=False)
    with pytest.raises(Missing, match=f"has no chip database of {PART}"):
        find_flow(PART, SERIES)


def test_nix(monkeypatch, tmp_path):
    """Every tool in a store path of its own on PATH, databases by the shell's variables."""
    store = tmp_path / "store"
    installs.router(store / "nextpnr/bin/nextpnr-xilinx", "0.9.3")
    installs.database(store / "nextpnr/share/nextpnr/external/prjxray-db")
    installs.pair(store / "prjxray/bin")
    installs.script(store / "fpga-assembler/bin/fpga-as", installs.ASSEMBLER)
    chip = installs.chip(store / "chipdb" / f"{BASE}.bin")
    bins = [str(store / name / "bin") for name in ("nextpnr", "prjxray", "fpga-assembler")]
    monkeypatch.setenv("PATH", ":".join(bins))
    with pytest.raises(Missing, match=f"{BASE}.bin, the router's chip database, was not found"):
        find_flow(PART, SERIES)
    monkeypatch.setenv("NEXTPNR_XILINX_CHIPDB_DIR", f"{tmp_path}:{store / 'chipdb'}/")
    flow = find_flow(PART, SERIES)
    assert flow.chipdb == chip
    assert flow.database == store / "nextpnr/share/nextpnr/external/prjxray-db" / SERIES
    monkeypatch.delenv("NEXTPNR_XILINX_CHIPDB_DIR")
    monkeypatch.setenv("ARTIX7_CHIPDB", str(store / "chipdb"))
    assert find_flow(PART, SERIES).chipdb == chip


def test_openxc7_from_source(monkeypatch, tmp_path):
    """/opt/openxc7, by its own export.sh on PATH."""
    root = tmp_path / "opt/openxc7"
    installs.router(root / "bin/nextpnr-xilinx", "0.8.2")
    installs.pair(root / "bin")
    installs.database(root / "share/nextpnr/prjxray-db")
    monkeypatch.setenv("PATH", f"{root / 'bin'}")
    monkeypatch.setenv(openxc7.CHIPDB, str(installs.chip(tmp_path / "mine.bin")))
    flow = find_flow(PART, SERIES)
    assert flow.router.version == (0, 8, 2)
    assert flow.database == root / "share/nextpnr/prjxray-db" / SERIES
    assert flow.chipdb == tmp_path / "mine.bin"


def test_snap(monkeypatch, tmp_path):
    """Programs under names of the snap on PATH, databases where it is mounted."""
    root = tmp_path / "snap/openxc7/current"
    monkeypatch.setattr(find, "OPENXC7_ROOTS", (str(root),))
    installs.router(tmp_path / "snap/bin/openxc7.nextpnr-xilinx", "0.8.2")
    for name in ("fasm2frames", "xc7frames2bit"):
        installs.script(tmp_path / "snap/bin" / f"openxc7.{name}", "exit 0")
    installs.database(root / "opt/nextpnr-xilinx/external/prjxray-db")
    monkeypatch.setenv("PATH", f"{tmp_path / 'snap/bin'}")
    monkeypatch.setenv(openxc7.CHIPDB, str(installs.chip(tmp_path / f"c/{BASE}.bin").parent))
    flow = find_flow(PART, SERIES)
    assert flow.router.command.endswith("openxc7.nextpnr-xilinx")
    assert flow.database == root / "opt/nextpnr-xilinx/external/prjxray-db" / SERIES
    assert flow.chipdb == tmp_path / f"c/{BASE}.bin"


def test_snap_without_aliases(tmp_path, monkeypatch):
    root = tmp_path / "snap"
    tools = [t for t in find.TOOLS.values() if t.roots]
    for tool in tools:
        monkeypatch.setitem(find.TOOLS, tool.name, _with_roots(tool, (str(root),)))
    installs.router(root / "usr/bin/nextpnr-xilinx", "0.8.2")
    installs.script(root / "usr/bin/xc7frames2bit", "exit 0")
    installs.script(root / "bin/fasm2frames", "exit 0")
    installs.database(root / "opt/nextpnr-xilinx/external/prjxray-db")
    installs.chip(root / "chipdb" / f"{BASE}.bin")
    flow = find_flow(PART, SERIES)
    assert flow.router.command == str(root / "usr/bin/nextpnr-xilinx")
    assert flow.chipdb.parent == root / "chipdb"


def test_only_the_other_assembler(tmp_path):
    root = apio(tmp_path / "home/.apio/packages/openxc7")
    (root / "bin/fasm2frames").unlink()
    with pytest.raises(Missing) as e:
        find_flow(PART, SERIES)
    assert e.value.why == "neither fasm2frames with xc7frames2bit nor fpga-as is installed"
    installs.script(root / "bin/fpga-as", installs.ASSEMBLER)
    assert find_flow(PART, SERIES).assembler == ("fpga-as",)


def test_nothing_is_installed():
    with pytest.raises(Missing) as e:
        find_flow(PART, SERIES)
    assert e.value.why == "nextpnr-xilinx is not installed"


@pytest.mark.parametrize("name", [openxc7.CHIPDB, openxc7.DATABASE])
def test_a_variable_that_leads_to_nothing(name, monkeypatch, tmp_path):
    apio(tmp_path / "home/.apio/packages/openxc7")
    monkeypatch.setenv(name, str(tmp_path / "gone"))
    with pytest.raises(SpikeloomError, match=f"{name} is .*gone', but there is nothing; correct"):
        find_flow(PART, SERIES)


def test_a_database_that_lacks_series_or_part(monkeypatch, tmp_path):
    root = apio(tmp_path / "home/.apio/packages/openxc7")
    (root / "share/nextpnr/external/prjxray-db" / SERIES / PART / "part.yaml").unlink()
    with pytest.raises(Missing, match=f"database in .*artix7 does not know {PART}"):
        find_flow(PART, SERIES)
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv(openxc7.DATABASE, str(tmp_path / "empty"))
    with pytest.raises(SpikeloomError, match=r"PRJXRAY_DB_DIR is .*, but holds no folder artix7"):
        find_flow(PART, SERIES)


def test_a_router_named_wrongly_is_told(monkeypatch):
    monkeypatch.setenv("NEXTPNR_XILINX", "/no/such/tool")
    with pytest.raises(SpikeloomError, match="correct or unset NEXTPNR_XILINX"):
        find_flow(PART, SERIES)
