"""What networks, programs and results show fits on a screen and holds no array's values."""

import re

import numpy as np
import pytest

import sw
from hw.arch import Config
from hw.common.show import FIELD_LINES, LINES, VALUE, WIDTH, Shown, cut, listing, shown, table
from sim import Simulated
from sw.compiler import fit_config
from sw.frontend.loader import shipped
from sw.result import Result


def fits(value: object) -> str:
    text = repr(value)
    assert len(text.splitlines()) <= LINES
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "array(" not in text
    assert not re.search(r"\[\s*-?\d+(\.\d*)?\s+-?\d", text)  # values of an array
    return text


@pytest.mark.parametrize("name", shipped())
def test_networks(name):
    net = sw.load(name)
    text = fits(net)
    assert text.startswith(f"FloatNetwork '{net.name}': {net.size[0]}x{net.size[1]}, ")
    assert net.nodes[0].name in text
    assert net.nodes[-1].name in text
    assert f"... {len(net.nodes) - 23} more" in text or len(net.nodes) < LINES
    for node in net.nodes:
        assert len(fits(node).splitlines()) <= FIELD_LINES
    lowered = net.lower()
    text = fits(lowered)
    assert text.startswith(f"IntegerNetwork '{lowered.name}': {lowered.height}x{lowered.width}, ")
    assert lowered.layers[0].name in text
    for layer in lowered.layers:
        lines = fits(layer)
        assert len(lines.splitlines()) <= FIELD_LINES
        assert layer.name in lines
        flat = " ".join(lines.split())
        assert not hasattr(layer, "weight") or f"weight={layer.weight.dtype} " in flat
        assert not hasattr(layer, "weight") or str(layer.weight.shape) in flat
    program = lowered.compile(fit_config(lowered, Config()))
    text = fits(program)
    assert text.startswith(f"Program '{program.name}' for 4 rows x 16 columns x 32 bits: ")
    assert f"{program.cycles} cycles" in text


def test_stream():
    assert "a step of a stream" in fits(sw.load("digits-qsnn").lower(stream=True))


def test_results():
    logits = np.arange(4000).reshape(400, 10)
    trace = {f"layer{n}.spikes": np.zeros((2, 400, 8, 16, 16), np.uint8) for n in range(50)}
    assert "logits=int64 (400, 10)" in fits(Result(logits=logits, scale=0.25, trace=trace))
    assert "scale" not in fits(Result(logits=logits))
    text = fits(Simulated(logits=logits, cycles=np.zeros(400, np.int64)))
    assert text.startswith("Simulated(")
    assert "cycles=int64 (400,)" in text


def test_cut_and_listing():
    assert cut("a\n b", 10) == "a b"
    assert cut("x" * 30, 10) == "xxxxxxx..."
    rows = listing("head", range(100), 10).splitlines()
    assert rows == [
        "head",
        *(f"  {n}" for n in (0, 1, 2, 3, 4)),
        "  ... 92 more",
        *(f"  {n}" for n in (97, 98, 99)),
    ]
    assert listing("head", range(9), 10).count("\n") == 9
    assert not hasattr(Shown, "__dataclass_fields__")


class _Nameless:
    def __repr__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        ("a b\n", "'a b\\n'"),
        ("x" * 58, repr("x" * 58)),
        ("x" * 59, repr("x" * 59)[:57] + "..."),
        ("x" * 9000, f"'{'x' * 56}..."),
        (b"x" * 9000, f"b'{'x' * 55}..."),
        ([1] * 9000, ("[" + "1, " * 20)[:57] + "..."),
        (10**400, "1" + "0" * 56 + "..."),
        (10**5000, "a value of type int of 16610 bits"),
        ([10**5000], "a value of type list"),
        (_Nameless(), "a value of type _Nameless"),
        (np.arange(4), "array([0, 1, 2, 3])"),
    ],
    ids=range(12),
)
def test_shown(value, text):
    assert shown(value) == text
    assert len(text) <= VALUE


def test_columns_of_text_begin_together_and_figures_end():
    rows = [("a", 1, "x"), ("long", 1234, "")]
    assert table(("name", "n", "what"), rows, text=(0, 2)) == (
        "name     n  what\na        1  x\nlong  1234"
    )
    assert table(("name", "n"), []) == "name  n"
    with pytest.raises(ValueError, match="zip"):
        table(("a",), [(1, 2)])
