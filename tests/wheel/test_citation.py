"""CITATION.cff is of the version that is cited, and has what its format asks for."""

import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any

import spikeloom

PATH = Path(__file__).resolve().parents[2] / "CITATION.cff"
REQUIRED = {"cff-version", "message", "title", "authors"}  #: By version 1.2.0 of the format.


def read(text: str) -> dict[str, Any]:
    """Fields of one line each, and lists; by a reader of YAML where there is one.

    Nothing else that we do needs such a reader, so that tests do without.
    """
    if importlib.util.find_spec("yaml"):
        found = importlib.import_module("yaml").safe_load(text)
        return {
            key: value if isinstance(value, list) else str(value) for key, value in found.items()
        }
    fields: dict[str, Any] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if line.startswith("  - "):
            fields[list(fields)[-1]].append(line.removeprefix("  - "))
        else:
            assert colon, line
            assert re.fullmatch("[a-z-]+", key), line
            value = value.strip()
            assert not re.search(r": | #|^[&*!|>%@`\[{\"']", value), f"no plain value: {line}"
            fields[key] = value or []
    return fields


def test_fields():
    fields = read(PATH.read_text(encoding="utf-8"))
    assert set(fields) >= REQUIRED
    assert fields["cff-version"] == "1.2.0"
    assert fields["type"] == "software"
    assert fields["version"] == spikeloom.__version__
    assert fields["repository-code"] == "https://github.com/spikeloom/spikeloom"
    assert [str(author) for author in fields["authors"]] in (
        ["name: Spikeloom contributors"],
        ["{'name': 'Spikeloom contributors'}"],
    )
    assert len(fields["keywords"]) == 5
