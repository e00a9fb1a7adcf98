"""What lowering chose, in words."""

from sw.network import IntegerNetwork, PixelConv


def choices(network: IntegerNetwork) -> list[str]:
    """Return the formats of an integer network and why they are so, as lines of text."""
    meta = network.meta
    note = meta.get("frac_bits", {})
    why = note.get("why", "") if isinstance(note, dict) else ""
    lines = [f"fraction bits {network.frac_bits}" + (f" ({why})" if why else "")]
    for layer in network.layers:
        if isinstance(layer, PixelConv):
            lines.append(
                f"first layer: weights of {layer.weight_bits} bits, pixels shifted left by "
                f"{layer.pixel_shift}, centre {', '.join(map(str, layer.centre))}, sums shifted "
                f"right by {layer.shift}"
            )
    lines.append(f"last layer: weights of {network.head.weight_bits} bits")
    for name, channels in meta.get("dead_channels", {}).items():
        lines.append(f"dead channels of {name}, scales clamped: {', '.join(map(str, channels))}")
    return lines
