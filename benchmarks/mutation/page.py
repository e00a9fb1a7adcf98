"""What was found about faults: lines on the terminal, and docs/develop/mutants.md."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.mutation.copies import ALIVE, GIVEN, KILLED, REASON, SHOWN, Copy, End
from benchmarks.mutation.played import CONFIG
from benchmarks.mutation.proofs import INDUCTION, SOLVER, STRUCTURE
from benchmarks.mutation.reasons import PREMISES, REASONS
from hw.common.files import digest

WANTED = 0.97  #: Of all faults, killed or shown equivalent.
Found = Sequence[tuple[Copy, dict[int, End]]]
_HEAD = """# Faults that nobody notices

Made by `python -m benchmarks.mutants FOLDER`, which makes and plays everything anew where the RTL
has changed; with `--check` it compares. Yosys chooses faults (`mutate -list`, its own weights, a
fixed seed; clock pins aside) in the flattened netlists of the core and of the link behind its UART,
from which is gone what no output depends on, and puts them behind one select port. The core is one
of {core}. It plays whole inferences whose every memory write, logits and cycles equal the
interpreter's without a fault, the link a recording of frames, damage, silences and levels of its
line. Every fault that is not noticed stands below. The figures are those of the netlists whose
digests are told: after a change of the RTL Yosys chooses other faults.
"""
_PROOFS = {
    STRUCTURE: "no output depends on it: registers that could differ reach none",
    INDUCTION: "registers that both copies share have equal next values for all inputs and all "
    "values of the registers (SAT), and so have the outputs",
    SOLVER: "outputs never differ from power-up on: equivalent registers by induction, or "
    "property-directed reachability",
}


def _count(found: Found) -> Counter[str]:
    return Counter(end.how for _, ends in found for end in ends.values())


def summary(found: Found) -> Iterator[str]:
    """Yield what is printed at the end."""
    for copy, ends in found:
        for fault in copy.faults:
            end = ends[fault.number]
            if end.how in (GIVEN, REASON, ALIVE):
                yield f"  {copy.name} {fault.number}, {end.how}: {fault.key}"
        how = _count([(copy, ends)])
        yield f"{copy.name}: of {len(ends)} faults " + ", ".join(
            f"{how[name]} {name}" for name in (KILLED, SHOWN, GIVEN, REASON, ALIVE)
        )
    how, total = _count(found), sum(len(ends) for _, ends in found)
    settled = total - how[ALIVE]
    mark = "PASS" if settled >= WANTED * total else "MISS"
    yield (
        f"{settled} of {total} killed or shown equivalent, {100 * settled / total:.1f} %  {mark} "
        f"({WANTED:.0%} wanted)"
    )


def unused(found: Found) -> Iterator[str]:
    """Yield which reasons tell of no fault that survives."""
    used = {
        fault.key
        for copy, ends in found
        for fault in copy.faults
        if ends[fault.number].how == REASON
    }
    for key in REASONS:
        if key not in used:
            yield f"no surviving fault has this reason any more, take it out: {key}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def page(found: Found) -> str:
    """Return the page."""
    sizes = ", ".join(f"`{k}={v}`" for k, v in CONFIG.as_dict().items() if "depth" in k)
    core = f"{CONFIG.rows} x {CONFIG.cols} x {CONFIG.width} bits with {sizes}"
    kinds = (KILLED, SHOWN, GIVEN, REASON, ALIVE)
    rows = []
    for copy, ends in found:
        how = _count([(copy, ends)])
        settled = len(ends) - how[ALIVE]
        share = f"{100 * settled / len(ends):.1f} %"
        mark = digest(copy.design)[:12]
        rows.append([copy.name, len(ends), *(how[k] for k in kinds), share, f"`{mark}`"])
    how, total = _count(found), sum(len(ends) for _, ends in found)
    share = f"{100 * (total - how[ALIVE]) / total:.1f} %"
    rows.append(["both", total, *(how[k] for k in kinds), share, ""])
    head = ["copy", "faults", "killed", "shown equivalent", "equivalent in every program",
            "equivalent by a reason", "open", "settled", "netlist"]  # fmt: skip
    parts = [_HEAD.format(core=core), _table(head, rows), _killers(found)]
    parts += [_survivors(found, SHOWN, _SHOWN), _given(found), _survivors(found, REASON, _REASONED)]
    parts.append(_survivors(found, ALIVE, _OPEN))
    return "\n".join(part for part in parts if part)


_SHOWN = (
    "Shown equivalent",
    "Memories are cut: what they read may be anything, the same in both copies. "
    + " ".join(f"*{name}*: {what}." for name, what in _PROOFS.items()),
)
_REASONED = ("Equivalent by a reason", "Found by reading.")
_OPEN = ("Open", "Neither noticed nor explained; they count against the share.")


def _killers(found: Found) -> str:
    """How many faults each job noticed first."""
    rows = []
    for copy, ends in found:
        jobs = Counter(end.by for end in ends.values() if end.how == KILLED)
        rows += [[copy.name, job, count] for job, count in jobs.most_common()]
    return "## What notices them\n\nFirst of all, in the order they are played.\n\n" + _table(
        ["copy", "played", "faults"], rows
    )


def _lines(found: Found, how: str) -> list[list[object]]:
    return [
        [copy.name, f"`{fault.key}`", ends[fault.number].by]
        for copy, ends in found
        for fault in copy.faults
        if ends[fault.number].how == how
    ]


def _survivors(found: Found, how: str, told: tuple[str, str]) -> str:
    rows = _lines(found, how)
    title, text = told
    return f"## {title}\n\n{text}\n\n" + _table(["copy", "fault", ""], rows) if rows else ""


def _given(found: Found) -> str:
    rows = _lines(found, GIVEN)
    if not rows:
        return ""
    premises = "".join(f"- bit {p.bit} of `{p.field}`: {p.why}.\n" for p in PREMISES)
    return (
        "## Equivalent in every program\n\nShown as above, with bits of the instruction register "
        "at 0 that no program for this core sets, which is checked on every program that is "
        "played:\n\n"
        f"{premises}\n" + _table(["copy", "fault", ""], rows)
    )
