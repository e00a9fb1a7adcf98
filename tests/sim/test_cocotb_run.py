"""What cocotb is asked for, and how its results are told; without a simulator."""

import json
import os
import sys
from types import SimpleNamespace

import pytest

from sim import cocotb_run
from sim.cocotb_run import BenchError

PASSED = "<testsuites><testsuite><testcase name='a'/></testsuite></testsuites>"


def results(*cases):
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


@pytest.fixture
def asked(monkeypatch):
    """Return what the runner's process was given; it leaves ``results`` and ``log``, or not."""
    given = SimpleNamespace(results=PASSED, log="", stderr="")

    def run(command, env):
        given.command, given.env = command, env
        options = json.loads(command[-1])
        for name, text in (
            (options["results_xml"], given.results),
            (options["log_file"], given.log),
        ):
            if text is not None:
                with open(name, "w", encoding="utf-8") as file:
                    file.write(text)
        return SimpleNamespace(stderr=given.stderr)

    monkeypatch.setattr(cocotb_run, "run", run)
    return given


def test_what_is_asked_for(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/some/where")
    build = tmp_path / "build"
    cocotb_run.run_module("sim.cocotb_bench", build, tmp_path, ["+stim=x"])
    assert asked.command[:3] == [sys.executable, "-m", "sim.cocotb_run"]
    assert json.loads(asked.command[3]) == {
        "test_module": "sim.cocotb_bench",
        "hdl_toplevel": "tb",
        "hdl_toplevel_lang": "verilog",
        "build_dir": str(build),
        "test_dir": str(tmp_path),
        "results_xml": str(tmp_path / "cocotb.xml"),
        "plusargs": ["+stim=x"],
        "log_file": str(tmp_path / "cocotb.log"),
    }
    assert asked.env["SPIKELOOM_JOB"] == str(tmp_path)
    first, second = asked.env["PYTHONPATH"].split(os.pathsep)
    assert (first, second) == (os.path.dirname(os.path.dirname(cocotb_run.__file__)), "/some/where")
    monkeypatch.delenv("PYTHONPATH")
    cocotb_run.run_module("sim.cocotb_bench", build, tmp_path)
    assert asked.env["PYTHONPATH"] == first  # and no empty entry: that is the current folder
    assert json.loads(asked.command[3])["plusargs"] == []


@pytest.mark.parametrize("kind", ["failure", "error"])
@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (" message='writes differ'>text", "writes differ"),
        (">only text", "only text"),
        (">", "cocotb test failed"),
    ],
)
def test_a_failed_test(asked, tmp_path, kind, inside, message):
    asked.results = results(
        "<testcase name='a'/>", f"<testcase><{kind}{inside}</{kind}></testcase>"
    )
    asked.log = "\n".join(f"line {n}" for n in range(50))
    with pytest.raises(BenchError) as caught:
        cocotb_run.run_module("m", tmp_path, tmp_path)
    first, *rest = str(caught.value).splitlines()
    assert first == message
    assert rest == [f"line {n}" for n in range(10, 50)]


def test_no_results(asked, tmp_path):
    asked.results, asked.log, asked.stderr = None, None, "the runner's last words"
    with pytest.raises(BenchError) as caught:
        cocotb_run.run_module("m", tmp_path, tmp_path)
    assert str(caught.value) == "the simulation ended abnormally:\nthe runner's last words"
    asked.log = "the log's"
    with pytest.raises(BenchError, match=r"^the simulation ended abnormally:\nthe log's$"):
        cocotb_run.run_module("m", tmp_path, tmp_path)


def test_no_tests(asked, tmp_path):
    asked.results, asked.log = results(), "nothing found"
    with pytest.raises(BenchError, match=r"^cocotb ran no test:\nnothing found$"):
        cocotb_run.run_module("m", tmp_path, tmp_path)


def test_outcome_of_a_job(asked, tmp_path):
    simulator = SimpleNamespace(folder=tmp_path / "simulator")
    (tmp_path / "results").write_text("n 3\ns 10 10 0 5 7\np ffffffff\ne\n", encoding="utf-8")
    outcome = cocotb_run.run_cocotb(simulator, tmp_path)
    (run,) = outcome.runs
    assert (run.run, run.counted, run.cycles, run.words) == (3, 16, 16, [-1])
    options = json.loads(asked.command[3])
    assert (options["test_module"], options["build_dir"]) == (
        "sim.cocotb_bench",
        str(tmp_path / "simulator"),
    )
    assert options["plusargs"] == [
        f"+stim={tmp_path / 'commands'}",
        f"+out={tmp_path / 'results'}",
        f"+log={tmp_path / 'log'}",
    ]
