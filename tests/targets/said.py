"""What a router says of its clocks."""

CLOCKS = (
    "Info: Max frequency for clock 'core': {} MHz ({} at 80.00 MHz)",
    "Info: Max frequency for clock  'pin': 140.25 MHz (PASS at 100.00 MHz)",
)


def said(*figures):
    """What nextpnr says of two clocks, each time that it says it."""
    return "\n".join(
        line.format(mhz, "PASS" if mhz >= 80 else "FAIL") for mhz in figures for line in CLOCKS
    )
