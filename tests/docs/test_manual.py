"""The reference manual is made from ``hw.arch`` and stays equal to it."""

import pytest

from hw.arch import Config, isa, link, manual


def test_pages_are_up_to_date():
    assert manual.differences(manual.FOLDER) == []


def test_every_field_has_its_place():
    text = manual.pages()["isa.md"]
    for field in isa.FIELDS:
        row = f"| {manual.bits(field.low, field.bits)} | `{field.name}` |"
        assert row in text.split(f"### Word {field.word}")[1].split("### ")[0]
        assert field.doc in text


@pytest.mark.parametrize("kind", [isa.Op, isa.Dest, isa.Pack, isa.Res, isa.Mod, isa.Step])
def test_every_value_of_an_enumeration_is_listed(kind):
    section = manual.pages()["isa.md"].split(f"## {kind.__name__}\n")[1].split("\n## ")[0]
    for member in kind:
        assert f"| {int(member)} | `{member.name}` |" in section


def test_identity_is_where_the_table_says():
    config = Config(rows=8, row_depth=3000)
    identity = link.Identity(version=7, digest=0x12345678, clock=50_000_000, config=config)
    payload = identity.encode()
    want = {
        "VERSION": 7,
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
