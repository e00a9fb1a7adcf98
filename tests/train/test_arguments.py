"""Options of the command line: whose they are, their defaults and what they refuse."""

import dataclasses
import re

import pytest

from hw.common.errors import SpikeloomError
from sw import families
from sw.families.bestformer.options import BestformerOptions
from sw.families.qsnn.options import QsnnOptions
from sw.train import __main__
from sw.train.arguments import default, flag, model_options, run_options


def test_help_states_the_defaults_of_both_families(capsys):
    with pytest.raises(SystemExit) as stop:
        __main__.run(["--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: bestformer 0.03, qsnn 0.1)" in text
    assert "(default: 16 32 64)" in text
    for family, options in (("bestformer", BestformerOptions()), ("qsnn", QsnnOptions())):
        family = families.named(family, "")
        for option in (*model_options(family), *run_options(family)):
            settled = ("size", "channels", "classes")  # by the data set
            if option.name in settled:
                assert default(family, option) is None
            else:
                holder = options if hasattr(options, option.name) else options.config
                got = getattr(holder, option.name)
                assert default(family, option) == (None if got == "" else got), option.name
            assert flag(option.name) in text


def test_every_field_has_an_option():
    for family, options in (("bestformer", BestformerOptions()), ("qsnn", QsnnOptions())):
        fields = {f.name for o in (options, options.config) for f in dataclasses.fields(o)}
        found = families.named(family, "")
        own = {o.name for o in (*model_options(found), *run_options(found))}
        fixed = {"config", "height", "width"}
        if family == "qsnn":  # it has no second head to teach; the data set settles the other
            fixed |= {"teacher", "teacher_epochs", "stream"}
        assert fields - fixed == own - {"size"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--model qsnn --heads 2 --depth 1", "--depth, --heads given, which --model qsnn does not"),
        ("--membrane-bits 4", "--membrane-bits given, which --model bestformer does not have"),
        ("--rate-weight 0.1", "--rate-weight given, .*leave it out, or choose another --model"),
        ("--model qsnn --widths 4 8", "Q-SNN configuration: blocks is .1, 1, 1., wanted 2 numbers"),
        ("--model qsnn --alpha 0", "alpha is 0.0, wanted a number above 0"),
    ],
)
def test_command_line_mistakes(words, message):
    with pytest.raises(SpikeloomError, match=message):
        __main__.run(words.split())


@pytest.mark.parametrize("words", ["--model vgg", "--model qsnn --alpha x", "--membrane-bits 3"])
def test_command_line_usage(words, capsys):
    with pytest.raises(SystemExit) as stop:
        __main__.run(words.split())
    assert stop.value.code == 2
    assert re.search("invalid|is not a scale or 'batch', wanted", capsys.readouterr().err)


def test_options_name_the_form_they_want(capsys):
    seen = {}
    for family in families.trained():
        for option in (*model_options(family), *run_options(family)):
            if option.kind.get("type", bool) is not bool and "choices" not in option.kind:
                seen.setdefault(flag(option.name), family.name)
    assert {"--size", "--depth", "--widths", "--lr", "--rate-weight"} <= seen.keys()
    for name, family in seen.items():
        with pytest.raises(SystemExit) as stop:
            __main__.main(["--model", family, name, "32x"])
        assert stop.value.code == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert re.search(r"'32x' is not .*, wanted a .*number, such as \S", last), last
