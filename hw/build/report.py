"""The report of a build: one schema for estimated, simulated and placed figures.

Every figure that may come from different sources stands in a section with ``kind``: 'estimated'
(from the netlist), 'forecast' (the compiler's of cycles, which is exact: simulation and device
count the same), 'simulated' (counted in the RTL) or 'placed' (from the router).
"""

import json
from collections.abc import Mapping
from typing import Any

from hw.arch.formats import MEMBRANE_BITS
from hw.soc.uart import rates
from sw.compiler.report import WIDTHS
from sw.compiler.report import membranes as count_membranes
from sw.host.rate import link_seconds, sent_bytes

SCHEMA = 2
KINDS = ("estimated", "forecast", "simulated", "placed")
CYCLES = {"forecast": "exact forecast", "simulated": "simulated"}


def resources(
    kind: str, used: Mapping[str, int | float], available: dict[str, int]
) -> dict[str, Any]:
    """Return the section of resources; ``share`` is used / available."""
    items = {}
    for name, count in used.items():
        limit = available.get(name)
        items[name] = {
            "used": count,
            "available": limit,
            "share": round(count / limit, 4) if limit else None,
        }
    return {"kind": kind, "items": items}


def timing(kind: str, fmax_mhz: float | None, clock_hz: int, note: str = "") -> dict[str, Any]:
    """Return the section of the clock; ``fmax_mhz`` is None where nothing tells it."""
    return {
        "kind": kind,
        "fmax_mhz": None if fmax_mhz is None else round(fmax_mhz, 2),
        "clock_mhz": clock_hz / 1e6,
        "met": None if fmax_mhz is None else fmax_mhz * 1e6 >= clock_hz,
        "note": note,
    }


def cycles(kind: str, program: Any, clock_hz: int, counted: int | None = None) -> dict[str, Any]:
    """Return the section of cycles and operations of one image.

    ``counted`` is the simulated number of cycles; without it the compiler's forecast is taken.
    ``images_per_second`` is the core's alone; the link's is that of an image sent while the one
    before is computed, and an upper bound: the host's delays come on top.
    """
    total = program.cycles if counted is None else counted
    baud = max(rates(clock_hz))
    peak = program.config.peak
    return {
        "kind": kind,
        "total": total,
        "latency_ms": round(1000 * total / clock_hz, 4),
        "images_per_second": round(clock_hz / total, 1),
        "link": {
            "baud": baud,
            "bytes_per_image": sent_bytes(program),
            "images_per_second": round(1 / max(link_seconds(program, baud), total / clock_hz), 1),
        },
        "layers": [{"layer": f.layer, "op": f.op, "cycles": f.cycles} for f in program.forecast],
        "operations": {
            "total": program.total_ops,
            "per_cycle": round(program.total_ops / total, 1),
            "peak_per_cycle": peak,
            "share_of_peak": round(program.total_ops / (total * peak), 4),
            "layers": {name: count for name, count in program.ops},
        },
    }


def memory_map(program: Any) -> dict[str, Any]:
    """Return the section of memories: depth, words in use, and what lies where."""
    config = program.config
    shape = {
        "prog": (1, 32, config.prog_depth),
        "col": (config.cols, config.width, config.col_depth),
        "row": (config.rows, config.width, config.row_depth),
        "res": (2 * config.cols, config.res_bits, config.res_depth),
        "pix": (1, MEMBRANE_BITS, config.pix_depth),
    }
    out = {}
    for name, (banks, width, depth) in shape.items():
        found = [r for r in program.regions if r.memory == name]
        out[name] = {
            "banks": banks,
            "width": width,
            "depth": depth,
            "used": max((r.base + r.size for r in found), default=0),
            "regions": [
                {"name": r.name, "base": r.base, "size": r.size}
                for r in sorted(found, key=lambda r: (r.base, r.name))
            ],
        }
    return out


def membranes(program: Any) -> dict[str, Any]:
    """Return the section of membranes: how many, of what width, and the memory at each width."""
    found = count_membranes(program)
    return {
        "count": found.count,
        "bits": list(found.bits),
        "in_memory": found.in_memory,
        "bits_at_width": {str(w): found.total(w) for w in WIDTHS},
        "words_at_width": {str(w): found.words[w] for w in WIDTHS},
    }


def to_json(report: dict[str, Any]) -> str:
    """Return a report as the text of ``report.json``."""
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:6.1f} %"


def to_text(report: dict[str, Any], titles: Mapping[str, str]) -> str:
    """Return a report as text for people; ``titles`` are those of the target's resources."""
    board, model, core = report["board"], report["model"], report["core"]
    lines = [
        f"{model['name']} on {board['title']} ({board['part']})",
        f"core: {core['rows']} rows x {core['cols']} columns x {core['width']} bits",
        "",
    ]
    accuracy = model.get("accuracy") or {}
    lines += [f"{k.replace('_', ' ')}: {v}" for k, v in accuracy.items()]
    if note := model.get("integer_accuracy_note"):
        lines.append(f"integer accuracy: {note}")
    if accuracy or note:
        lines.append("")

    section = report["resources"]
    lines.append(f"resources ({section['kind']})")
    for name, item in section["items"].items():
        limit = "" if item["available"] is None else f"of {item['available']:>7}"
        title = titles.get(name, name)
        lines.append(f"  {title:<18}{item['used']:>8} {limit:<11}{_percent(item['share'])}")

    section = report["timing"]
    figure = "whether it is met is not known"
    if section["fmax_mhz"] is not None:
        met = "met" if section["met"] else "NOT met"
        figure = f"{met}; fmax {section['fmax_mhz']:g} MHz ({section['kind']})"
    lines += ["", f"clock: {section['clock_mhz']:g} MHz, {figure}"]
    if section["note"]:
        lines.append(f"  {section['note']}")

    section = report["cycles"]
    ops, line = section["operations"], section["link"]
    lines += [
        "",
        f"cycles for one image ({CYCLES[section['kind']]}): {section['total']} = "
        f"{section['latency_ms']:g} ms",
        f"images per second: {section['images_per_second']:g} by the core alone, at most "
        f"{line['images_per_second']:g} with the link at {line['baud'] / 1e6:g} Mbaud "
        f"({line['bytes_per_image']} bytes for each)",
        f"  {ops['per_cycle']:g} of {ops['peak_per_cycle']} binary operations per cycle, "
        f"{100 * ops['share_of_peak']:.1f} % of peak",
    ]
    lines += [f"  {f['cycles']:>9}  {f['op']:<6} {f['layer']}" for f in section["layers"]]

    lines += ["", "memories"]
    for name, item in report["memory"].items():
        lines.append(
            f"  {name}: {item['banks']} x {item['depth']} x {item['width']} bits, "
            f"words 0 to {item['used'] - 1} used"
            if item["used"]
            else f"  {name}: {item['banks']} x {item['depth']} x {item['width']} bits"
        )
        lines += [
            f"    {r['base']:>6} to {r['base'] + r['size'] - 1:>6}  {r['name']}"
            for r in item["regions"]
        ]

    section = report["membranes"]
    where = "in residual memory" if section["in_memory"] else "in the lanes, none in memory"
    bits = " and ".join(map(str, section["bits"]))
    sizes = ", ".join(f"{n} at {w}" for w, n in section["bits_at_width"].items())
    lines += [
        "",
        f"membranes: {section['count']} of {bits} bits, {where}; bits in memory by width: {sizes}",
    ]

    bit = report["bitstream"]
    lines += [
        "",
        f"bitstream: {bit['file']}, {bit['bytes']} bytes"
        if bit["file"]
        else f"bitstream: none; {bit['reason']}",
    ]
    if flash := report.get("flash"):
        lines += ["", *flash["how"]]
    lines += ["", "tools"]
    lines += [f"  {name}: {version}" for name, version in report["tools"].items()]
    return "\n".join(lines) + "\n"
