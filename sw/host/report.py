"""What the commands tell of many images, as lines of text."""

from collections.abc import Sequence

from sw.host.device import Answer, LayerCycles


def confusion(labels: Sequence[int], predictions: Sequence[int], classes: int) -> list[str]:
    """Return a table: a row for each label, a column for each class that was answered."""
    counts = [[0] * classes for _ in range(classes)]
    for label, prediction in zip(labels, predictions, strict=True):
        counts[label][prediction] += 1
    width = max(len(str(n)) for n in (classes - 1, *(n for row in counts for n in row))) + 1

    def line(head: object, cells: Sequence[object]) -> str:
        return f"{head!s:>5} |" + "".join(f"{cell!s:>{width}}" for cell in cells)

    rows = [line(n, [k or "." for k in row]) for n, row in enumerate(counts) if any(row)]
    return [line("label", range(classes)), *rows]


def cycles(answers: Sequence[Answer]) -> list[str]:
    """Return which cycles runs took, and how many took others than the forecast."""
    taken = sorted({answer.cycles for answer in answers})
    forecast = sorted({answer.forecast for answer in answers})
    other = sum(answer.differs for answer in answers)
    verdict = f", {other} of {len(answers)} runs DIFFER" if other else ", all as forecast"
    if not any(answer.waits or answer.stalls for answer in answers):
        return [f"cycles {_numbers(taken)}, forecast {_numbers(forecast)}{verdict}"]
    stalls, waits = ({getattr(a, name) for a in answers} for name in ("stalls", "waits"))
    computing = sorted({answer.cycles - answer.stalls for answer in answers})
    return [
        f"computing cycles {_numbers(computing)}{verdict}",
        f"waits for the memory outside {_numbers(sorted(stalls))}, forecast "
        f"{_numbers(sorted(waits))}",
        f"cycles {_numbers(taken)}, forecast {_numbers(forecast)}",
    ]


def layers(found: Sequence[LayerCycles]) -> list[str]:
    """Return a line for each layer of the last run."""
    if not found:
        return []
    width = max(len(layer.layer) for layer in found)
    return [
        f"{'layer':{width}}  cycles  forecast",
        *(
            f"{layer.layer:{width}}  {layer.cycles:6}  {layer.forecast:8}"
            + "  DIFFERENT" * layer.differs
            for layer in found
        ),
    ]


def speed(answers: Sequence[Answer], seconds: float, link: float) -> str:
    """Return images per second: ``seconds`` all took, ``link`` one takes on the line at least."""
    core = sum(answer.seconds for answer in answers) / len(answers)
    return (
        f"{len(answers) / seconds:.1f} images per second; the core alone {1 / core:.1f}, the line "
        f"alone {1 / link:.1f}"
    )


def _numbers(values: Sequence[int]) -> str:
    return " and ".join(map(str, values)) if len(values) < 4 else f"{values[0]} to {values[-1]}"
