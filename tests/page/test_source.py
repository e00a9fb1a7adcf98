"""Folders: what is read, and what is refused in a sentence."""

import copy
import json
import re

import pytest

from hw.common.errors import SpikeloomError
from sw.page.source import check_report, checked, read_folder


@pytest.fixture
def folder(digits, report, tmp_path):
    network, program, _ = digits
    network.save(tmp_path / "network.npz")
    program.save(tmp_path / "program.npz")
    told = copy.deepcopy(report)
    told["cycles"]["total"] = program.cycles
    (tmp_path / "report.json").write_text(json.dumps(told), encoding="utf-8")
    return tmp_path


def test_reads_a_build(folder, digits):
    found = read_folder(folder)
    assert found.program.digest == digits[1].digest
    assert found.network is not None
    assert found.checked is None
    (folder / "network.npz").unlink()
    assert read_folder(folder).network is None


@pytest.mark.parametrize("name", ["report.json", "program.npz"])
def test_without_its_data(folder, name):
    (folder / name).unlink()
    with pytest.raises(SpikeloomError, match=f"there is no {re.escape(name)}, .*give the folder"):
        read_folder(folder)


def test_of_two_builds(folder, report):
    (folder / "report.json").write_text(
        json.dumps(report | {"cycles": {"total": 3}}), encoding="utf-8"
    )
    with pytest.raises(SpikeloomError, match=r"tells 3 cycles, .* they are of two builds"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("board", "title", 3), "board: title is 3"),
        (("resources", "items", {"lut": 7}), "resources: 'lut' is 7"),
        (("resources", "items", {"lut": {"used": "x"}}), "resources: 'lut': used is 'x'"),
        (("cycles", "link", {"baud": 0, "bytes_per_image": 1, "images_per_second": 1}), "clock"),
        (("cycles", "total", True), "cycles: total is True"),
    ],
)
def test_a_damaged_report(report, tmp_path, change, said):
    value = copy.deepcopy(report)
    section, name, to = change
    value[section][name] = to
    with pytest.raises(SpikeloomError, match=re.escape(said)):
        check_report(value, tmp_path / "report.json")


def test_no_report_at_all(report, tmp_path):
    for value in ([], 3, None):
        with pytest.raises(SpikeloomError, match="not a section of a report"):
            check_report(value, tmp_path)
    with pytest.raises(SpikeloomError, match="resources of no board"):
        check_report({"resources": report["resources"]}, tmp_path)
    assert check_report({}, tmp_path) == {}


def test_a_simulations_report(tmp_path):
    told = {"cycles": [5, 4], "writes": 9, "compared": ["forecast"], "mismatches": []}
    found = checked(check_report({"simulation": told}, tmp_path))
    assert found is not None
    assert (found.cycles, found.writes, found.compared) == ((5, 4), 9, ("forecast",))
