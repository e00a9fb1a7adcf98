"""The sections of a page: for each part of what is known a few words, charts, and the numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sw.page.charts import bars, overtime, pictures
from sw.page.charts.drawing import Chart, number, percent, readable
from sw.page.facts import HOLDS, KINDS, Page
from sw.page.traffic import MEMORIES

WORDS = {"read": "read", "gated": "read gated: it would meet no spike", "written": "written"}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers of a chart; the first ``text`` columns are words."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: int = 1


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A small chart with its caption, many of which stand side by side."""

    chart: Chart
    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A figure of the summary."""

    name: str
    value: str
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page. ``missing``: sentence and command in place of what is not known."""

    key: str
    title: str
    text: str = ""
    charts: tuple[Chart, ...] = ()
    figures: tuple[Figure, ...] = ()
    large: bool = False  #: Two figures side by side, and not three.
    legend: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    missing: tuple[str, str] | None = None


def tiles(page: Page) -> tuple[Tile, ...]:
    """Return the figures of the summary."""
    out, line, r = [], page.timeline, page.report
    accuracy = (r.get("model") or {}).get("accuracy") or {}
    ops = sum(s.ops for s in line.spans)
    if "integer_test_accuracy" in accuracy:
        data = f"of {accuracy['data']}" if "data" in accuracy else ""
        out.append(
            Tile(
                name="accuracy",
                value=percent(accuracy["integer_test_accuracy"], 2),
                text=f"the integers, {data or 'on its test images'}",
            )
        )
    if page.confusion:
        m = page.confusion
        out.append(
            Tile(
                name="read right",
                value=percent(m.right / m.images, 2),
                text=f"{number(m.right)} of {number(m.images)} images of {m.data}",
            )
        )
    if "latency_ms" in r.get("cycles", {}):
        cycles = r["cycles"]
        out.append(
            Tile(
                name="latency",
                value=f"{cycles['latency_ms']:g} ms",
                text=f"at {r['board']['clock_hz'] / 1e6:g} MHz",
            )
        )
    out.append(Tile(name="cycles", value=number(line.total), text="for an image, exact forecast"))
    out.append(
        Tile(
            name="share of peak",
            value=percent(ops / (line.total * line.peak)),
            text=f"of {number(line.peak)} binary operations a cycle",
        )
    )
    if r.get("resources"):
        items = [(s["share"], n) for n, s in r["resources"]["items"].items() if s["share"]]
        if items:
            share, name = max(items)
            out.append(Tile(name="fullest resource", value=percent(share), text=_title(page, name)))
    if r.get("timing"):
        clock = r["timing"]
        if clock["fmax_mhz"] is not None:
            verdict = "met" if clock["met"] else "NOT met"
            out.append(
                Tile(
                    name="clock",
                    value=f"{clock['fmax_mhz']:g} MHz",
                    text=f"{clock['kind']}, {clock['clock_mhz']:g} wanted: {verdict}",
                )
            )
    bits = sum(s.bits.size for s in page.spikes)
    if bits:
        fired = sum(sum(s.counts) for s in page.spikes)
        out.append(
            Tile(
                name="spikes",
                value=percent(fired / bits),
                text=f"{number(fired)} of {number(bits)} chances",
            )
        )
    if page.checked:
        wrong = len(page.checked.mismatches)
        out.append(
            Tile(
                name="simulated",
                value="no mismatch" if not wrong else f"{wrong} DIFFER",
                text=f"{number(page.checked.writes)} memory writes on RTL",
            )
        )
    return tuple(out)


def sections(page: Page) -> tuple[Section, ...]:
    """Return all sections, in order."""
    return (
        *([_checked(page)] if page.checked else []),
        _resources(page),
        _memory(page),
        _timeline(page),
        _bound(page),
        _image(page),
        _spikes(page),
        _attention(page),
        _confusion(page),
        _traffic(page),
    )


def _title(page: Page, name: str) -> str:
    """Title of a resource, as its target has it."""
    return page.titles[name] if name in page.titles else name


def _checked(page: Page) -> Section:
    c = page.checked
    assert c is not None
    told = "; ".join(c.mismatches[:5]) or "no mismatch"
    return Section(
        key="simulation",
        title="Simulation on RTL",
        text=f"{len(c.cycles)} run{'s' * (len(c.cycles) != 1)} compared with "
        f"{' and '.join(c.compared) or 'nothing'}: {told}.",
        tables=(
            Table(
                title="cycles of each run",
                head=("run", "simulated", "forecast"),
                rows=tuple(
                    (str(n), number(each), number(page.timeline.total if n else page.first_cycles))
                    for n, each in enumerate(c.cycles)
                ),
            ),
        ),
    )


def _resources(page: Page) -> Section:
    found = page.report.get("resources")
    if not found:
        return Section(
            key="resources",
            title="Resources against the budget",
            missing=(
                "What the core takes of a part is known where it was built for a board.",
                f"python -m hw.build --board arty_a7 --model {_model(page)}",
            ),
        )
    board, items = page.report["board"], found["items"]
    how = {
        "estimated": "counted in the synthesised netlist, before packing and placing",
        "placed": "as placed and routed",
    }.get(found["kind"], found["kind"])
    clock = page.report["timing"]
    speed = f" The clock of {clock['clock_mhz']:g} MHz: "
    if clock["fmax_mhz"] is None:
        speed += "whether it is met is not known."
    else:
        met = "met" if clock["met"] else "NOT met"
        speed += f"{met}, fmax {clock['fmax_mhz']:g} MHz ({clock['kind']})."
    return Section(
        key="resources",
        title="Resources against the budget",
        text=f"{board['title']} ({board['part']}): {how}.{speed}",
        charts=(bars.resources(items, page.titles),)
        if any(s["share"] for s in items.values())
        else (),
        tables=(
            Table(
                title=f"resources, {found['kind']}",
                head=("resource", "used", "available", "share"),
                rows=tuple(
                    (
                        _title(page, name),
                        number(item["used"]),
                        "–" if item["available"] is None else number(item["available"]),
                        "–" if item["share"] is None else percent(item["share"]),
                    )
                    for name, item in items.items()
                ),
            ),
        ),
    )


def _memory(page: Page) -> Section:
    ends = (
        "A box begins with the layer that writes its tensor and ends after the last one that "
        "reads it."
        if page.exact
        else "A box begins with the layer that writes its tensor and ends when its words are "
        "written again: who reads them last, the network would tell."
    )
    kinds = {t.kind for m in page.memories for t in m.tenants}
    return Section(
        key="memory",
        title="Memory map over time",
        text=f"Addresses of each bank against the cycles of one image. {ends}",
        charts=(overtime.memory(page.memories, page.timeline.total),),
        legend=tuple(overtime.legend(sorted(kinds), HOLDS)),
        tables=(
            Table(
                title="regions",
                head=("region", "memory", "holds", "first word", "words", "from cycle", "to cycle"),
                rows=tuple(
                    (t.name, m.title, HOLDS[t.kind], *map(number, (t.base, t.size, t.begin, t.end)))
                    for m in page.memories
                    for t in m.tenants
                ),
                text=3,
            ),
        ),
    )


def _timeline(page: Page) -> Section:
    line, cycles = page.timeline, page.report.get("cycles", {})
    waits = sum(s.stalls for s in line.spans)
    waiting = f" {number(waits)} cycles pass waiting for memory outside." if waits else ""
    text = (
        "Above, the layers as they follow each other; below them the share of the time in which a "
        f"word is issued to the array, and in which the lanes are at work.{waiting}"
    )
    charts, missing = [overtime.work(line)], None
    if "link" in cycles:
        link = cycles["link"]
        charts.append(bars.link(page))
        text += (
            f" Last, three images on their way: {number(link['bytes_per_image'])} bytes each on "
            f"the link at {link['baud'] / 1e6:g} Mbaud, sent while the one before is computed; at "
            f"most {link['images_per_second']:g} images a second, "
            f"{cycles['images_per_second']:g} by the core alone."
        )
    else:
        missing = (
            "How long an image is on the link depends on the board's clock.",
            f"python -m hw.build --board arty_a7 --model {_model(page)}",
        )
    return Section(
        key="timeline",
        title="Timeline: array, lanes, link",
        text=text,
        charts=tuple(charts),
        missing=missing,
        legend=tuple(overtime.legend([s.kind for s in line.spans], KINDS)),
        tables=(
            Table(
                title="busy cycles by layer",
                head=(
                    "layer",
                    "begins",
                    "cycles",
                    "array",
                    "lanes",
                    *(["waiting"] if waits else []),
                ),
                rows=tuple(
                    (
                        s.layer,
                        *map(number, (s.begin, s.cycles, s.array, s.lanes)),
                        *([number(s.stalls)] if waits else []),
                    )
                    for s in line.spans
                ),
            ),
        ),
    )


def _bound(page: Page) -> Section:
    line = page.timeline
    ops, least = sum(s.ops for s in line.spans), sum(s.bound for s in line.spans)
    return Section(
        key="bound",
        title="Cycles against the bound",
        text=f"Pale: cycles of a layer. Full: those that its binary operations need at the array's "
        f"peak of {number(line.peak)} a cycle. {number(ops)} operations in {number(line.total)} "
        f"cycles are {percent(ops / (line.total * line.peak))} of the peak.",
        charts=(bars.bound(line.spans),),
        legend=tuple(overtime.legend([s.kind for s in line.spans], KINDS)),
        tables=(
            Table(
                title="cycles, operations and bound by layer",
                head=("layer", "cycles", "share of the run", "binary ops", "bound", "of peak"),
                rows=(
                    *(
                        (
                            s.layer,
                            number(s.cycles),
                            percent(s.cycles / line.total),
                            number(s.ops),
                            number(s.bound),
                            percent(s.ops / (s.cycles * line.peak)) if s.ops else "–",
                        )
                        for s in line.spans
                    ),
                    (
                        "total",
                        number(line.total),
                        percent(1),
                        number(ops),
                        number(least),
                        percent(ops / (line.total * line.peak)),
                    ),
                ),
            ),
        ),
    )


def _image(page: Page) -> Section:
    s = page.sample
    label = "" if s.label is None else f", labelled {s.label},"
    right = "" if s.label is None else (": right" if s.label == s.prediction else ": WRONG")
    note = f" Shown because: {readable(s.note)}." if s.note else ""
    return Section(
        key="image",
        title="The image that ran",
        text=f"{s.name[:1].upper()}{s.name[1:]}{label} is read as class {s.prediction}{right}. "
        f"What follows is of this image, on the interpreter, which is exact in every bit.{note}",
        figures=(
            Figure(
                chart=pictures.image(s), title=s.name, text=" × ".join(map(str, s.pixels.shape))
            ),
            Figure(chart=bars.logits(s), title="logits", text="the largest names the class"),
        ),
        tables=(
            Table(
                title="logits",
                head=("class", "integer", "logit"),
                rows=tuple(
                    (str(n), number(int(v)), f"{v * s.scale:.4f}") for n, v in enumerate(s.logits)
                ),
            ),
        ),
    )


def _spikes(page: Page) -> Section:
    if not page.spikes:
        return Section(key="spikes", title="Spikes and rates", text="No layer writes spikes.")
    return Section(
        key="spikes",
        title="Spikes and rates",
        text="A raster shows channels upwards and the tokens (places of the image) of step after "
        "step along; where a layer has more than fit, a point is the share of its neighbours that "
        "fire.",
        charts=(pictures.rates(page.spikes),),
        figures=tuple(
            Figure(
                chart=pictures.raster(s, n),
                title=s.name,
                text=f"{s.bits.shape[1]} channels, {s.sides[0]} × {s.sides[1]} tokens, "
                f"{number(sum(s.counts))} spikes, {percent(float(s.bits.mean()))}",
            )
            for n, s in enumerate(page.spikes)
        ),
        tables=(
            Table(
                title="spikes and rates by tensor and step",
                head=("tensor", "layer", "step", "neurons", "spikes", "rate"),
                rows=tuple(
                    (
                        s.name,
                        s.layer,
                        str(t),
                        number(s.bits[0].size),
                        number(count),
                        percent(rate, 2),
                    )
                    for s in page.spikes
                    for t, (count, rate) in enumerate(zip(s.counts, s.rates, strict=True))
                ),
                text=2,
            ),
        ),
    )


def _attention(page: Page) -> Section:
    if not page.attention:
        return Section(
            key="attention",
            title="Attention maps",
            text="This network has no attention: a BESTformer has.",
        )
    tokens = any(a.grid for a in page.attention)
    looked = " Above them, in orange over the image, how often each place is looked at." * tokens
    return Section(
        key="attention",
        title="Attention maps",
        large=True,
        text="Binary maps of each head and step: a row a query, a column a key (or channels of "
        f"keys and values, where those are multiplied first).{looked}",
        figures=tuple(
            Figure(
                chart=pictures.maps(a, page.sample, n),
                title=a.layer,
                text=f"{a.maps.shape[1]} heads, {a.maps.shape[2]} × {a.maps.shape[3]}, "
                f"{percent(float(a.maps.mean()))} ones",
            )
            for n, a in enumerate(page.attention)
        ),
        tables=(
            Table(
                title="ones in the maps",
                head=("layer", "map", "head", "step", "size", "ones", "share"),
                rows=tuple(
                    (
                        a.layer,
                        a.name,
                        str(head),
                        str(step),
                        f"{a.maps.shape[2]} × {a.maps.shape[3]}",
                        number(int(a.maps[step, head].sum())),
                        percent(float(a.maps[step, head].mean())),
                    )
                    for a in page.attention
                    for head in range(a.maps.shape[1])
                    for step in range(a.maps.shape[0])
                ),
                text=2,
            ),
        ),
    )


def _confusion(page: Page) -> Section:
    m = page.confusion
    if m is None:
        why = (
            "Images of a stream are its steps, which have no class of their own."
            if page.stream
            else "It takes many images of the network's own data set, where that is here."
        )
        where = "FOLDER" if page.report else _model(page)
        why += " FOLDER is where this page lies." if page.report else ""
        command = f"python -m sw.page {where} --images 1000"
        return Section(
            key="confusion", title="Confusion matrix", missing=(why, "" if page.stream else command)
        )
    classes = range(len(m.counts))
    return Section(
        key="confusion",
        title="Confusion matrix",
        text=f"{number(m.right)} of the first {number(m.images)} test images of {m.data} are read "
        f"right by the golden model ({percent(m.right / m.images, 2)}). A row is a label, a column "
        "what was answered; orange is wrong.",
        charts=(pictures.matrix(m),),
        tables=(
            Table(
                title="images by label and answer",
                head=("label", *map(str, classes)),
                rows=tuple((str(n), *(number(int(v)) for v in m.counts[n])) for n in classes),
            ),
        ),
    )


def _traffic(page: Page) -> Section:
    sums = bars.totals(page.accesses)
    head = ("layer", "memory", "read", "gated", "written")
    return Section(
        key="traffic",
        title="Reads and writes",
        text="Words that the run takes from banks of each memory and puts there. A column word "
        "that would meet no spike in any row is not read: it is gated.",
        charts=(bars.traffic(page.accesses),) if sums else (),
        legend=tuple(WORDS.items()),
        tables=(
            Table(
                title="by memory",
                head=("memory", "read", "gated", "written"),
                rows=tuple((MEMORIES[name], *map(number, counts)) for name, counts in sums.items()),
            ),
            Table(title="by layer", head=head, rows=tuple(_accesses(page)), text=2),
        ),
    )


def _accesses(page: Page) -> Iterable[tuple[str, ...]]:
    for a in page.accesses:
        yield a.layer, MEMORIES[a.memory], number(a.reads), number(a.gated), number(a.writes)


def about(page: Page) -> Sequence[tuple[str, str]]:
    """Return what a page is about, name and value."""
    c, r = page.core, page.report
    out = [
        ("network", page.name),
        ("core", f"{c['rows']} rows × {c['cols']} columns × {c['width']} bits"),
        ("steps", f"{page.steps} of a stream" if page.stream else str(page.steps)),
        ("program", f"{number(page.program_words)} words, digest {page.digest:#010x}"),
    ]
    if r.get("board"):
        out.append(("board", f"{r['board']['title']} ({r['board']['part']})"))
    bit = r.get("bitstream")
    if bit:
        made = (
            f"{bit['file']}, {number(bit['bytes'])} bytes"
            if bit["file"]
            else f"none: {bit['reason']}"
        )
        out.append(("bitstream", made))
    out += [(name, version) for name, version in r.get("tools", {}).items()]
    return out


def _model(page: Page) -> str:
    """Name of the model for a command: the network's, if it is one that a shell takes as it is."""
    plain = page.name.replace("-", "").replace("_", "").replace(".", "")
    return page.name if plain.isascii() and plain.isalnum() else "MODEL"
