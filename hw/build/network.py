"""The software that a build calls: reading a model, lowering, compiling, measuring accuracy.

Everything of ``sw`` that the steps need stands here; none of it needs torch.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import sw
from hw.arch.config import Config
from hw.arch.outside import CONTRACT, Contract
from hw.common.errors import SpikeloomError
from hw.common.files import file_digest, write
from sw.api import IntegerNetwork
from sw.compiler import Program, fit_config
from sw.data import load as load_data
from sw.data.fetch import is_present, source_of
from sw.frontend.files import read_sidecar
from sw.frontend.loader import find as find_model
from sw.frontend.loader import shipped
from sw.lower import choices
from sw.page import gather, missing
from sw.page import write as write_page
from sw.room import compile_told

MEASURED, BATCH = 10_000, 500  #: Test images whose integer accuracy is measured; at a time.
#: What a report tells of a model, where its side file holds it.
ACCURACY = (
    "data",
    "split",
    "test_images",
    "test_accuracy",
    "test_acc",
    "test_wrong",
    "integer_test_accuracy",
    "integer_test_wrong",
    "command",
)


def source(model: str) -> Path:
    """Return the file of a model, a shipped name or a path."""
    path = Path(find_model(model))
    if not path.is_file():
        raise SpikeloomError(f"model {model!r}: there is no file {path}")
    return path


def read(path: Path) -> Any:
    """Return the float network of a model's file."""
    return sw.load(path)


def side(path: Path) -> dict[str, Any]:
    """Return the side file of a model, as the loader finds it, or nothing."""
    return read_sidecar(path)


def integer(path: Path) -> IntegerNetwork:
    """Return the integer network of a file."""
    return IntegerNetwork.load(path)


def program(path: Path) -> Program:
    """Return the program of a file."""
    return Program.load(path)


def names() -> list[str]:
    """Return the names of the shipped networks."""
    return list(shipped())


@functools.cache
def lowered(name: str) -> IntegerNetwork:
    """Return the integer network of a shipped one."""
    return sw.load(name).lower()


def fitted(network: IntegerNetwork, config: Config) -> Config:
    """Return the core whose memories are as deep as a network needs."""
    return fit_config(network, config)


def describe(network: Any, path: Path) -> dict[str, Any]:
    """Return what is told of a float network that was read from ``path``."""
    meta = network.meta if isinstance(getattr(network, "meta", None), dict) else {}
    known = {**meta, **side(path)}
    return {
        "name": network.name,
        "source": path.name,
        "sha256": file_digest(path),
        "accuracy": {k: known[k] for k in ACCURACY if k in known},
    }


def lower(network: Any, stream: bool, path: Path) -> list[str]:
    """Write the integer network of a float network; return what was chosen, as sentences."""
    found = network.lower(stream=stream or None)
    found.save(path)
    return list(choices(found))


def compile_into(
    network: IntegerNetwork, config: Config, folder: Path, contract: Contract = CONTRACT
) -> Program:
    """Write the program of a network: ``program.npz``, its text, its memory images; return it.

    ``contract``: of the memory outside, for the forecast.
    """
    found = compile_told(network, config, contract)
    found.save(folder / "program.npz")
    write(folder / "program.txt", found.disassemble())
    write_images(found, folder / "images")
    return found


def write_images(program: Any, folder: Path) -> None:
    """Write the memory images as text for ``$readmemh``: one word a line, one file a bank."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "prog.hex", "".join(f"{int(w):08x}\n" for w in program.words))
    for bank, words in enumerate(program.columns):
        lines = ("".join(f"{int(part):08x}" for part in reversed(word)) for word in words)
        write(folder / f"col_{bank:02}.hex", "".join(f"{line}\n" for line in lines))


def accuracy(
    known: dict[str, Any],
    model: str,
    network: Callable[[], IntegerNetwork],
    note: Callable[[str], None],
) -> dict[str, Any]:
    """Return what a report tells of the integer network's accuracy.

    Where ``known``, the model's description, does not tell it, and its data set is known and here,
    it is measured: the golden model on the test split, at most MEASURED images.
    """
    if "integer_test_accuracy" in known["accuracy"]:
        return {}
    net, data = network(), known["accuracy"].get("data")
    how = f"python -m sw.agree {model} measures it"
    if net.stream or net.per_step_input:
        return {"integer_accuracy_note": "not measured: the network reads no still images"}
    if not isinstance(data, str):
        return {
            "integer_accuracy_note": f"not measured: its data set is not named; {how} on "
            "--data NAME"
        }
    try:
        if net.height != net.width:
            raise SpikeloomError(f"images of {net.height}x{net.width} are not square")
        split = load_data(data, net.height)
    except SpikeloomError as error:
        return {"integer_accuracy_note": f"not measured: {error}; then {how}"}
    images, labels = split.test_images[:MEASURED], split.test_labels[:MEASURED]
    if images.shape[1:] not in ((net.channels, net.height, net.width), (net.height, net.width)):
        return {"integer_accuracy_note": f"not measured: images of {data} have another shape"}
    note(f"golden model on {len(images)} test images of {data}")
    wrong = 0
    for at in range(0, len(images), BATCH):
        part = slice(at, at + BATCH)
        wrong += int((net.run(images[part]).predictions != labels[part]).sum())
    return {
        "accuracy": {
            **known["accuracy"],
            "integer_test_images": len(images),
            "integer_test_accuracy": 1 - wrong / len(images),
            "integer_test_wrong": wrong,
        }
    }


def page(
    program: Program,
    network: IntegerNetwork,
    report: dict[str, Any],
    titles: Mapping[str, str],
    path: Path,
) -> str | None:
    """Write the page of a build; return a sentence where that cannot be."""
    if lacks := missing():
        return f"no report.html: {lacks}"
    write_page(gather(program, network, report=report, titles=titles), path)
    return None


def measurable(known: dict[str, Any]) -> bool:
    """Whether the data set is here on which a model's accuracy would be measured."""
    try:
        return is_present(source_of(known["accuracy"]["data"]))
    except (KeyError, TypeError, SpikeloomError):
        return False
