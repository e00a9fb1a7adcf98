"""The reference manual is made from ``hw.arch``, leaves nothing out and stays equal to it."""

import ast
import dataclasses
import enum
import importlib
import inspect
from pathlib import Path

import pytest

import hw.arch
from benchmarks import manual
from hw.arch import Config, isa, link

#: Every module of facts, found here by its file and not by the generator.
MODULES = sorted(p.stem for p in Path(hw.arch.__file__).parent.glob("*.py") if p.stem[0] != "_")


def section(text, heading):
    """Return what stands under a heading of the second order, or "" where there is none."""
    return text.partition(f"\n## {heading}\n")[2].split("\n## ")[0]


def classes(module):
    """Return the public classes that a module of ``hw.arch`` defines."""
    found = inspect.getmembers(importlib.import_module(f"hw.arch.{module}"), inspect.isclass)
    return [c for _, c in found if c.__module__ == f"hw.arch.{module}" and c.__name__[0] != "_"]


def left_out(pages):
    """Return the enumerations, members, fields and constants that ``pages`` do not tell of."""
    out = []
    for name in MODULES:
        text = pages.get(f"{name}.md", "")
        for kind in classes(name):
            rows = section(text, kind.__name__)
            if issubclass(kind, enum.Enum):
                told = {m.name: f"| {m.value} | `{m.name}` |" for m in kind}
            elif dataclasses.is_dataclass(kind):
                told = {f.name: f"| `{f.name}` |" for f in dataclasses.fields(kind)}
            else:
                continue
            out += [f"{name}.{kind.__name__}.{m}" for m, row in told.items() if row not in rows]
        source = (Path(hw.arch.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            for target in getattr(node, "targets", [getattr(node, "target", None)]):
                if isinstance(target, ast.Name) and target.id.isupper() and target.id[0] != "_":
                    row = f"| `{target.id}` |"
                    out += [] if row in section(text, "Constants") else [f"{name}.{target.id}"]
    return out


def test_pages_are_up_to_date():
    assert manual.differences(manual.FOLDER) == []


def test_nothing_is_left_out():
    assert len(MODULES) >= 6
    assert left_out(manual.pages()) == []


def test_what_is_left_out_is_noticed():
    pages = manual.pages()
    pages["isa.md"] = pages["isa.md"].replace("\n## Taps\n", "\n## Tips\n")
    pages["formats.md"] = pages["formats.md"].replace("| `SHIFTS` |", "| `SHIFT` |")
    pages["config.md"] = pages["config.md"].replace("| `acc_bits` |", "| `acc` |")
    assert left_out(pages) == [
        "config.Config.acc_bits",
        "formats.SHIFTS",
        *(f"isa.Taps.{m}" for m in ("SIDE", "STRIDE", "POOL")),
    ]


def test_a_new_module_gets_a_page(tmp_path, monkeypatch):
    toy = '''"""Toys: things to play with."""
import enum
from dataclasses import dataclass

#: Wheels of a cart,
#: all told.
WHEELS = 4
SPEED: int = 0x10


class Toy(enum.Enum):
    """What there is."""

    BALL = 1  #: It rolls.


@dataclass
class Box:
    """Where toys are."""

    size: int = 3  #: Toys that fit.


def play(n: int) -> int:
    """Return ``n``."""
    return n
'''
    (tmp_path / "toy.py").write_text(toy, encoding="utf-8")
    monkeypatch.setattr(hw.arch, "__path__", [*hw.arch.__path__, str(tmp_path)])
    text = manual.pages()["toy.md"]
    assert text.startswith("# Toys\n")
    assert "| 1 | `BALL` | It rolls. |" in section(text, "Toy")
    assert "| `size` | 3 | Toys that fit. |" in section(text, "Box")
    assert "| `WHEELS` | 4 | Wheels of a cart, all told. |" in section(text, "Constants")
    assert "| `SPEED` | 0x10 | `0x10` |" in section(text, "Constants")
    assert "* `play`: Return `n`." in section(text, "Functions")


def test_every_field_has_its_place():
    text = manual.pages()["isa.md"]
    for field in (*isa.FIELDS, *isa.OVERLAYS):
        row = f"| {manual.bits(field.low, field.bits)} | `{field.name}` |"
        assert row in text.split(f"### Word {field.word}")[1].split("### ")[0]
        assert field.doc in text


def test_identity_is_where_the_table_says():
    config = Config(rows=8, row_depth=3000)
    identity = link.Identity(version=7, digest=0x12345678, clock=50_000_000, config=config)
    payload = link.SESSION.pack(0x01020304) + identity.encode()
    want = {
        "session": 0x01020304,
        "VERSION": 7,
        "queue": link.QUEUE,
        "rates": 1,
        "MAX_PAYLOAD": link.MAX_PAYLOAD,
        "digest": 0x12345678,
        "clock": 50_000_000,
        **config.as_dict(),
    }
    rows = manual.identity_rows()
    for at, size, name in rows:
        got = payload[at : at + size]
        assert got == link.MAGIC if name == "MAGIC" else int.from_bytes(got, "little") == want[name]
    assert rows[-1][0] + rows[-1][1] == len(payload) == link.IDENTITY_PAYLOAD


def test_check_tells_what_differs(tmp_path, capsys):
    assert manual.main(["--output", str(tmp_path)]) == 0
    assert manual.main(["--check", "--output", str(tmp_path)]) == 0
    capsys.readouterr()
    page = tmp_path / "isa.md"
    page.write_text(page.read_text(encoding="utf-8").replace("15:0", "16:0", 1), encoding="utf-8")
    (tmp_path / "link.md").unlink()
    (tmp_path / "other.md").write_text("not ours\n", encoding="utf-8")
    assert manual.main(["--check", "--output", str(tmp_path)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.split(str(tmp_path))[1].split(";")[0] for line in told] == [
        "/other.md does not belong to the manual",
        "/isa.md differs from hw/arch",
        "/link.md is missing",
    ]


def test_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert manual.main(["--output", str(tmp_path / "file")]) == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("name", MODULES)
def test_page_says_what_the_module_is(name):
    text = manual.pages()[f"{name}.md"]
    module = importlib.import_module(f"hw.arch.{name}")
    assert (module.__doc__ or "").splitlines()[0].replace("``", "`") in text


def test_nothing_stands_without_its_meaning():
    """Members, fields and constants alike: a row that ends in an empty cell tells nobody."""
    for name, text in manual.pages().items():
        kept = False
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not line.startswith("|"):
                kept = False
            elif cells[-1] == "meaning":
                kept = True
            elif kept:
                assert cells[-1], f"{name}: {line}"
