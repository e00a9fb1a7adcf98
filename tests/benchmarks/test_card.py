"""The committed cards are what the command writes, and say what the JSON files say."""

import json
import re
from pathlib import Path

import pytest

import boards
import sw
from benchmarks import card, card_page
from hw.arch import SpikeloomError
from hw.arch.parts import part
from sim.testbench import SimulationError
from sw.frontend.loader import SHIPPED, shipped
from tests.host.utterances import made

CARDS = Path(__file__).resolve().parents[2] / "docs" / "models"
names = pytest.mark.parametrize("name", shipped())


@names
def test_card_is_made_of_the_figures(name):
    fields = json.loads((SHIPPED / f"{name}.json").read_text(encoding="utf-8"))
    text = (CARDS / f"{name}.md").read_text(encoding="utf-8")
    found = re.search(
        r"The first (\d+) test (?:images|sequences) ran on RTL of the core of (\S.*) under "
        r"Verilator(?:, each as a stream)?: all ([\d,]+)",
        text,
    )
    assert found
    images, core, writes = found.groups()
    net = sw.load(name)
    rtl = (core, int(images), int(writes.replace(",", "")))
    assert card_page.card(name, fields, net, net.lower(), rtl) == text
    assert int(images) == card.RTL
    assert fields["command"] in text
    wrong, n = fields["integer_test_wrong"], fields["test_images"]
    assert f"| {100 * (1 - wrong / n):.2f} % | {wrong} |" in text


@pytest.mark.slow
@names
def test_measured_anew(name, tmp_path, monkeypatch, fetched):
    """All test images or sequences through the golden model, 20 through RTL."""
    kept = (SHIPPED / f"{name}.json").read_text(encoding="utf-8")
    fetched(json.loads(kept)["data"])
    monkeypatch.setattr(card, "SHIPPED", tmp_path)
    (tmp_path / f"{name}.json").write_text(kept, encoding="utf-8")
    made = card.make(name, tmp_path, card.RTL)
    assert made.read_text(encoding="utf-8") == (CARDS / f"{name}.md").read_text(encoding="utf-8")
    assert (tmp_path / f"{name}.json").read_text(encoding="utf-8") == kept


def test_mistakes(tmp_path, capsys, monkeypatch):
    with pytest.raises(SpikeloomError, match=r"is called 'mnist'; there are digits, digits-qsnn"):
        card.make("mnist", tmp_path, 1)
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "none"))
    assert card.main(["mnist-tiny", "--out", str(tmp_path)]) == 1
    assert "python -m sw.data fetch mnist" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        card.main([])


def test_rtl_that_differs_writes_nothing(tmp_path, monkeypatch):
    result = type("R", (), {"mismatches": ("row 3",), "writes": 1})()
    monkeypatch.setattr(card.sim, "run", lambda *_, **__: result)
    with pytest.raises(SpikeloomError, match="digits: RTL differs: row 3"):
        card.make("digits", tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


def test_simulation_that_fails_writes_nothing(tmp_path, monkeypatch, capsys):
    def hang(*_, **__):
        raise SimulationError("the core hangs")

    monkeypatch.setattr(card.sim, "run", hang)
    assert card.main(["digits", "--rtl", "1", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "simulation failed: the core hangs\n"
    assert list(tmp_path.iterdir()) == []


def test_fields_that_are_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(card, "SHIPPED", tmp_path)
    with pytest.raises(SpikeloomError, match=r"digits\.json: cannot be read"):
        card.make("digits", tmp_path, 1)
    (tmp_path / "digits.json").write_text('{"model": "bestformer"}', encoding="utf-8")
    with pytest.raises(SpikeloomError, match=r"digits\.json: height, .*command, .* missing"):
        card.make("digits", tmp_path, 1)


def test_core_that_runs_on_rtl():
    tiny, digits = (sw.load(name).lower() for name in ("mnist-tiny", "digits"))
    assert card._core(tiny, None) == ("the Lattice iCE40UP5K", part("ice40up5k").config)
    assert card._core(tiny, "ulx3s") == ("ulx3s", boards.get("ulx3s").config)
    assert card._core(digits, None) == ("arty_a7", boards.get("arty_a7").config)
    with pytest.raises(SpikeloomError, match="arty_a7_100"):
        card._core(digits, "arty")


def test_card_repeats_its_options():
    fields = json.loads((SHIPPED / "digits.json").read_text(encoding="utf-8"))
    net = sw.load("digits")
    text = card_page.card("digits", fields, net, net.lower(), ("ulx3s", 3, 1), "ulx3s")
    assert "```sh\npython -m benchmarks.card digits --board ulx3s --rtl 3\n```\n" in text


def test_sequences_run_each_as_a_stream(monkeypatch):
    vowels = made()
    network = sw.load("vowels-qsnn").lower()
    frames, lengths = vowels.test_images, vowels.test_lengths
    seen = []

    def run(program, images, **_):
        assert program.stream
        seen.append(images)
        return type("R", (), {"mismatches": (), "writes": len(images)})()

    monkeypatch.setattr(card.sim, "run", run)
    assert card.simulate(network, boards.get("arty_a7").config, frames, lengths) == 9
    assert [len(images) for images in seen] == lengths.tolist()
    net = sw.load("vowels-qsnn")
    found = card.measure(net, network, frames, vowels.test_labels, lengths)
    wanted = network.run_sequences(frames, lengths).predictions
    assert (found.integer_predictions == wanted).all()
    assert found.wrong(wanted) == (wanted != vowels.test_labels).sum()


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(16.2, "16 seconds"), (89.6, "90 seconds"), (90, "2 minutes"), (227.8, "4 minutes")],
)
def test_how_long_a_training_took(seconds, told):
    assert card_page.duration(seconds) == told
