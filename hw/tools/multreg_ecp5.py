"""Registers of ECP5 multipliers, which Yosys leaves to flip-flops.

A MULT18X18D has registers before and behind it. Where every bit of its operands comes from a
flip-flop, and every bit of its product goes to one and nowhere else, its own take their place: the
same product in the same cycle, without the nets between.
"""

from typing import Any

from hw.tools.registers_ecp5 import readers, register

BITS = 18  #: Of an operand.
_SIDES = "AB"


def absorb_module(module: dict[str, Any]) -> int:
    """Put multipliers' registers in place of flip-flops in a module of Yosys' JSON netlist.

    Returns
    -------
    int
        How many multipliers have registers now.
    """
    cells, sinks = module.get("cells", {}), readers(module)
    made_by = {
        bit: name
        for name, cell in cells.items()
        if cell["type"] == "TRELLIS_FF"
        for bit in cell["connections"]["Q"]
    }
    count = 0
    for name, mult in [(n, c) for n, c in cells.items() if c["type"] == "MULT18X18D"]:
        if mult["parameters"].get("REG_OUTPUT_CLK", "NONE") != "NONE":
            continue
        before = {side: _before(cells, made_by, mult, side) for side in _SIDES}
        behind = _behind(cells, sinks, mult)
        if not all(before.values()) or not behind:
            continue
        controls = [_control(cells, [*part.values()]) for part in (*before.values(), behind)]
        if None in controls or len({str(c[0]) for c in controls if c}) > 1:
            continue
        _take(cells, sinks, name, (before, behind), controls)
        count += 1
    return count


def _before(
    cells: dict[str, Any], made_by: dict[Any, str], mult: dict[str, Any], side: str
) -> dict[int, str]:
    """Flip-flops by operand bit; none if a bit comes from something else, a constant too."""
    pins = mult["connections"]
    found = {n: made_by.get(pins[f"{side}{n}"][0]) for n in range(BITS)}
    return {n: name for n, name in found.items() if name} if all(found.values()) else {}


def _behind(cells: dict[str, Any], sinks: dict[Any, Any], mult: dict[str, Any]) -> dict[int, str]:
    """Flip-flops by product bit; none if a bit goes to something else."""
    found = {}
    for n in range(2 * BITS):
        (bit,) = mult["connections"].get(f"P{n}") or [None]
        for name, pin in sinks.get(bit, []):
            if n in found or pin != "DI" or cells.get(name, {}).get("type") != "TRELLIS_FF":
                return {}
            found[n] = name
    return found


def _control(cells: dict[str, Any], names: list[str]) -> tuple[Any, Any, Any] | None:
    """Clock, enable and reset that flip-flops have in common; None if they have not."""
    kinds = [register(cells[name]) for name in names]
    return kinds[0] if all(kind == kinds[0] for kind in kinds) else None


def _take(
    cells: dict[str, Any], sinks: dict[Any, Any], name: str, found: Any, controls: list[Any]
) -> None:
    """Give a multiplier the registers that were found, with pins 0, 1, 2 of CE and RST each."""
    mult, (before, behind) = cells[name], found
    pins, parameters, ways = (
        mult[part] for part in ("connections", "parameters", "port_directions")
    )
    for k, (register_of, control) in enumerate(
        zip(("INPUTA", "INPUTB", "OUTPUT"), controls, strict=True)
    ):
        clock, enable, reset = control
        for pin, bits in (("CLK0", clock), (f"CE{k}", enable), (f"RST{k}", reset)):
            pins[pin], ways[pin] = list(bits), "input"
        parameters[f"REG_{register_of}_CLK"] = "CLK0"
        parameters[f"REG_{register_of}_CE"] = f"CE{k}"
        parameters[f"REG_{register_of}_RST"] = f"RST{k}"
    parameters |= {"GSR": "DISABLED", "RESETMODE": "SYNC"}
    for side, part in before.items():
        for n, register_name in part.items():
            old, data = (cells[register_name]["connections"][pin][0] for pin in ("Q", "DI"))
            pins[f"{side}{n}"] = [data]
            sinks[data].append((name, f"{side}{n}"))
            sinks[old].remove((name, f"{side}{n}"))
    for n, register_name in behind.items():
        pins[f"P{n}"] = cells.pop(register_name)["connections"]["Q"]
    for part in before.values():
        for register_name in set(part.values()):
            cell = cells.get(register_name)
            if cell and not sinks[cell["connections"]["Q"][0]]:
                del cells[register_name]
