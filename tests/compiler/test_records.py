"""Labels, regions and forecasts of a whole program: all that it tells of itself."""

import dataclasses

import pytest

from sw.compiler import Forecast, Label, Region, compile_network
from sw.network import Residual
from tests.compiler.nets import conv, mean, network, pixel


def test_labels_of_a_program():
    net = network(
        pixel(),
        conv("a", "p", out=20, size=1, neuron=False, residual=Residual(output="r")),
        conv("b", "p", out=20, size=1, residual=Residual(output="s", inputs=("r",))),
        mean("b.s", name="m"),
        mean("b.s", name="n"),
        sources=("m", "n"),
        inputs=40,
        side=(5, 6),
    )
    program = compile_network(net)
    image = {"kind": "spikes", "shape": (20, 5, 6)}
    assert program.labels == (
        Label(layer="pixel", op="MAC", tensor="p", kind="spikes", shape=(8, 5, 6)),
        Label(layer="a", op="GEMM", residual="r", **image),
        Label(layer="b", op="GEMM", tensor="b.s", mean="m", **image),
        Label(layer="n", op="MEAN", tensor="n", kind="values", shape=(20,), head_width=20),
        Label(layer="logits", op="MAC", tensor="logits", kind="values", shape=(2,)),
        Label(layer="(end)", op="HALT"),
    )
    told = [(f.layer, f.op) for f in program.forecast]
    assert told == [(label.layer, label.op) for label in program.labels]
    assert program.regions[-1] == Region(
        name="program", memory="prog", base=0, size=len(program.words)
    )


@pytest.mark.parametrize(
    "record",
    [
        Label(layer="a", op="GEMM"),
        Region(name="a", memory="row", base=0, size=1),
        Forecast(layer="a", op="GEMM", cycles=1),
    ],
)
def test_records_do_not_change(record):
    name = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, "b")
    with pytest.raises(TypeError):
        type(record)("a")
    assert record == dataclasses.replace(record)
    assert record != dataclasses.replace(record, **{name: "b"})
