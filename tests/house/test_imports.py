"""Imports run one way: no circle of files, and no arrow between rooms outside the table."""

from pathlib import Path

import pytest

from tests.house import imports as found

ROOT = Path(__file__).resolve().parents[2]
#: Command lines: they may import every stage, and nothing but tests imports them.
COMMANDS = ("spikeloom.__main__", "sim.run", "sim.card", "sw.convert")
#: What every room may import.
COMMON = ("hw.common", "spikeloom")
#: What each room may import of the project besides itself and COMMON. A room is a package or a
#: file; a module belongs to the room with the longest name that it begins with.
ALLOWED: dict[str, tuple[str, ...]] = {
    "spikeloom": (),
    "hw.common": (),
    "hw.arch": (),
    "hw": (),
    # hardware
    "hw.core": ("hw.arch",),
    "hw.soc": ("hw.arch", "hw.core"),
    "hw.tools": (),
    "hw.outside": ("hw.arch", "hw.core", "hw.tools"),
    "boards": ("hw.arch",),
    "hw.targets": ("boards", "hw.tools"),
    # data and models
    "sw.result": (),
    "sw.images": (),
    "sw.data": (),
    "sw.graph": ("sw.images", "sw.result"),
    "sw.network": ("hw.arch",),
    "sw.golden": ("hw.arch", "sw.images", "sw.network", "sw.result"),
    "sw.nn": ("hw.arch",),
    # stages
    "sw.families": ("hw.arch", "sw.graph", "sw.nn"),
    "sw.frontend": ("hw.arch", "sw.families", "sw.graph"),
    "sw.lower": ("hw.arch", "sw.golden", "sw.graph", "sw.images", "sw.network"),
    "sw.compiler": ("hw.arch", "sw.network"),
    # the face
    "sw.api": ("hw.arch", "sw.compiler", "sw.frontend", "sw.golden", "sw.graph", "sw.lower",
               "sw.network", "sw.result"),
    "sw": ("sw.api", "sw.frontend"),
    # what stands on the face
    "sw.room": ("boards", "hw.arch", "sw.compiler", "sw.network"),
    "sw.testing": ("hw.arch", "sw.api", "sw.golden", "sw.lower", "sw.network"),
    "sw.train": ("sw.data", "sw.families", "sw.frontend", "sw.graph", "sw.lower", "sw.network",
                 "sw.nn"),
    "sw.agree": ("hw.arch", "sw", "sw.api", "sw.data", "sw.graph", "sw.lower"),
    "sim.interpreter": ("hw.arch", "sw.compiler"),
    "sw.host": ("hw.arch", "sim.interpreter", "sw.compiler", "sw.data", "sw.golden", "sw.images",
                "sw.network"),
    "sim": ("boards", "hw.arch", "hw.core", "hw.soc", "hw.tools", "sim.interpreter", "sw.compiler",
            "sw.golden", "sw.images", "sw.network", "sw.result"),
    "sw.page": ("hw.arch", "sim.interpreter", "sw.compiler", "sw.golden", "sw.host", "sw.network"),
    "hw.build": ("boards", "hw.arch", "hw.outside", "hw.soc", "hw.targets", "hw.tools", "sw",
                 "sw.api", "sw.compiler", "sw.data", "sw.frontend", "sw.host", "sw.lower",
                 "sw.page", "sw.room"),
    "commands": ("*",),
    "benchmarks": ("*",),
}  # fmt: skip
#: Files that import by a name which is not in their source, and where that name comes from.
DYNAMIC = {
    "boards": "the files in the folder of boards",
    "boards.platform": "the module of amaranth-boards that a board's file names",
    "spikeloom.__main__": "the table of commands",
    "sw.train.learner": "the hooks of a family, as its entry names them",
    "sw.train.teacher": "the user's own network, MODULE:NAME of --teacher",
}


def room(name):
    if name.endswith(".__main__") or name in COMMANDS:
        return "commands"
    fits = [r for r in ALLOWED if name == r or name.startswith(f"{r}.")]
    return max(fits, key=len, default="?")


@pytest.fixture(scope="module")
def arrows():
    return found.arrows(ROOT)


def test_every_file_is_seen(arrows):
    names = found.modules(ROOT)
    assert len(names) > 150
    assert len(arrows) > 500
    assert not [name for name in names if room(name) == "?"], "a package that has no room"


def test_no_circle(arrows):
    graph = {name: [] for name in found.modules(ROOT)}
    for arrow in arrows:
        if arrow.target != "?":
            graph[arrow.source].append(arrow)
    chain = found.circle(graph)
    assert not chain, "circle: " + ", ".join(map(str, chain))


def test_no_arrow_outside_the_table(arrows):
    wrong = []
    for arrow in arrows:
        if arrow.target == "?":
            continue
        source, target = room(arrow.source), room(arrow.target)
        allowed = (source, *COMMON, *ALLOWED[source])
        if "*" not in allowed and target not in allowed:
            wrong.append(f"{arrow} ({source} may not import {target})")
        if target == "commands" and source not in ("commands", "benchmarks"):
            wrong.append(f"{arrow} (a command is imported)")
    assert not wrong, "\n".join(wrong)


def test_the_table_allows_nothing_that_is_not_there(arrows):
    used = {(room(a.source), room(a.target)) for a in arrows}
    idle = [
        f"{source} -> {target}"
        for source, targets in ALLOWED.items()
        for target in targets
        if target != "*" and (source, target) not in used
    ]
    assert not idle, f"take out of the table: {', '.join(idle)}"


def test_the_table_has_no_circle():
    """Commands and benchmarks aside, which nothing imports."""
    graph = {
        name: [found.Arrow(name, target, 0) for target in targets if target != "*"]
        for name, targets in ALLOWED.items()
    }
    chain = found.circle(graph)
    assert not chain, ", ".join(map(str, chain))


def test_unknown_names_are_stated(arrows):
    dynamic = {a.source for a in arrows if a.target == "?"}
    assert dynamic == set(DYNAMIC)


# ---- the guard sees what it must see


@pytest.fixture
def tree(tmp_path):
    def write(**files):
        for package in found.PACKAGES:
            (tmp_path / package).mkdir(exist_ok=True)
        for name, text in files.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return [(a.source, a.target) for a in found.arrows(tmp_path)]

    return write


@pytest.mark.parametrize(
    "text",
    [
        "import sw.b",
        "from sw import b",
        "from sw.b import x",
        "from . import b",
        "from .b import x",
        "def f():\n    from sw.b import x",
        "if TYPE_CHECKING:\n    import sw.b",
        "import importlib\nimportlib.import_module('sw.b')",
        "from importlib import import_module\nimport_module('sw.b')",
        "__import__('sw.b')",
        "import sw.b.nothing",
    ],
)
def test_every_form_of_import_is_seen(tree, text):
    assert ("sw.a", "sw.b") in tree(sw__a=text, sw__b="")


def test_a_name_put_together_counts_as_its_package(tree):
    text = "import importlib\nimportlib.import_module(f'sw.b.{name}')"
    assert tree(sw__a=text, sw__b="") == [("sw.a", "sw.b")]
    text = "import importlib\nimportlib.import_module(name)"
    assert tree(sw__a=text) == [("sw.a", "?")]


def test_a_circle_is_told_as_a_chain():
    arrows = [found.Arrow("a", "b", 1), found.Arrow("b", "c", 2), found.Arrow("c", "b", 3)]
    graph = {"a": arrows[:1], "b": arrows[1:2], "c": arrows[2:]}
    assert list(map(str, found.circle(graph))) == ["b:2 -> c", "c:3 -> b"]
    assert found.circle({"a": arrows[:1], "b": arrows[1:2], "c": []}) == []
