"""Options of the command line."""

import pytest

from hw.arch import link
from sw.host.arguments import MEASURED, TESTED, parser

RUNS = ["infer x.png", "test", "bench", "stream f.npy", "selftest"]


@pytest.mark.parametrize("command", ["list", "info", "abort", "load digits", *RUNS])
def test_no_command_needs_a_port(command):
    args = parser("net").parse_args(command.split())
    assert args.port is None
    assert args.baud == max(link.RATES)
    assert args.command == command.split()[0]


@pytest.mark.parametrize("command", RUNS)
def test_a_program_is_a_model(command):
    for option in ("--model", "--program"):
        args = parser("net").parse_args([*command.split(), option, "digits"])
        assert (args.model, args.loaded) == ("digits", False)


def test_numbers_of_images():
    assert parser("net").parse_args(["test"]).images == MEASURED
    assert parser("net").parse_args(["selftest"]).images == TESTED
    assert parser("net").parse_args(["bench", "--images", "3"]).images == 3


def test_the_default_network_is_named(capsys):
    with pytest.raises(SystemExit):
        parser("some-net").parse_args(["infer", "--help"])
    assert "some-net" in capsys.readouterr().out
