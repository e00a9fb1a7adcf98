"""The map of the memories over time: what lies where, from which cycle to which."""

from collections.abc import Iterable

from hw.arch.formats import MEMBRANE_BITS
from hw.arch.isa import Op
from sw.compiler.program import Program
from sw.compiler.records import Region
from sw.network import IntegerNetwork
from sw.page.facts import Memory, Span, Tenant

_ALWAYS = {"constants", "program"}


def memories(
    program: Program, spans: Iterable[Span], total: int, network: IntegerNetwork | None = None
) -> tuple[Memory, ...]:
    """Return the memories with their tenants.

    A tensor comes with the layer that writes it, and goes after the last one that reads it; where
    no ``network`` tells who that is, when its words are written again, or with the run.
    """
    when: dict[str, tuple[int, int]] = {}
    for span in spans:
        first, _ = when.get(span.layer, (span.begin, 0))
        when[span.layer] = first, span.begin + span.cycles
    c, born = program.config, _born(program, when)
    shape = {
        "row": ("row memory", c.rows, c.width, c.row_depth),
        "col": ("column memory", c.cols, c.width, c.col_depth),
        "res A": ("residual buffer A", c.cols, c.res_bits, c.res_depth),
        "res B": ("residual buffer B", c.cols, c.res_bits, c.res_depth),
        "pix": ("pixel memory", 1, MEMBRANE_BITS, c.pix_depth),
        "prog": ("program memory", 1, 32, c.prog_depth),
    }
    last = None if network is None else _last_reads(network, when)
    ends = _image_ends(program, when)
    return tuple(
        Memory(
            name=name,
            title=title,
            banks=banks,
            width=width,
            depth=depth,
            tenants=_tenants(_regions(program, name), born, last, total, ends),
        )
        for name, (title, banks, width, depth) in shape.items()
    )


def _regions(program: Program, name: str) -> list[Region]:
    """Regions of a memory, or of one buffer of residual memory."""
    memory, _, buffer = name.partition(" ")
    mine = [r for r in program.regions if r.memory == memory]
    return [r for r in mine if not buffer or (r.name[-4:] == " (B)") == (buffer == "B")]


def plain(name: str) -> str:
    """Name of the tensor of a region: without the buffer that it lies in."""
    return name.removesuffix(" (A)").removesuffix(" (B)")


def _born(program: Program, when: dict[str, tuple[int, int]]) -> dict[str, tuple[int, str]]:
    """First cycle and kind of each tensor that instructions write."""
    out: dict[str, tuple[int, str]] = {}
    for label in program.labels:
        if label.layer not in when:
            continue
        begin = when[label.layer][0]
        kind = {"map": "map", "values": "values"}.get(label.kind, "spikes")
        for name in label.tensor.split(","):
            out.setdefault(name, (begin, kind))
        out.setdefault(label.pooled, (begin, "spikes"))
        out.setdefault(label.residual, (begin, "residual"))
        out.setdefault(label.mean, (begin, "values"))
    return out


def _last_reads(network: IntegerNetwork, when: dict[str, tuple[int, int]]) -> dict[str, int]:
    """Cycle after the last layer that reads each tensor, of layers that run by themselves."""
    out: dict[str, int] = {}
    for layer in network.layers:
        if layer.name in when:
            for name in layer.reads():
                out[name] = max(out.get(name, 0), when[layer.name][1])
    return out


def _image_ends(program: Program, when: dict[str, tuple[int, int]]) -> int:
    """Cycle after the last layer that reads the image."""
    readers = [
        when[label.layer][1]
        for label, i in zip(program.labels, program.instructions(), strict=True)
        if i.op == Op.MAC and label.kind != "values" and label.layer in when
    ]
    return max(readers, default=0)


def _tenants(
    mine: list[Region],
    born: dict[str, tuple[int, str]],
    last: dict[str, int] | None,
    total: int,
    image_ends: int,
) -> tuple[Tenant, ...]:
    out = []
    for region in mine:
        name = plain(region.name)
        begin, kind = born.get(name, (0, "image" if name == "image" else "constants"))
        if name == "features":  # means, one beside the other
            begin, kind = min((b for b, k in born.values() if k == "values"), default=0), "values"
        if name == "image":
            end = image_ends or total
        elif name in _ALWAYS or kind in ("constants", "values"):
            end = total
        elif last is not None:
            end = last.get(name, total)
        else:
            end = _replaced(region, begin, mine, born, total)
        out.append(
            Tenant(
                name=region.name,
                kind=kind,
                base=region.base,
                size=region.size,
                begin=begin,
                end=max(end, begin + 1),
            )
        )
    return tuple(sorted(out, key=lambda t: (t.begin, t.base, t.name)))


def _replaced(
    region: Region,
    begin: int,
    others: list[Region],
    born: dict[str, tuple[int, str]],
    total: int,
) -> int:
    """Cycle in which the first later tensor comes that takes any of a region's words."""
    later = [
        at
        for other in others
        if (at := born.get(plain(other.name), (0, ""))[0]) > begin
        and region.base < other.base + other.size
        and other.base < region.base + region.size
    ]
    return min(later, default=total)
