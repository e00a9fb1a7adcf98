"""One pass over a float graph that makes the integer network, node by node."""

from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower.context import Context
from sw.lower.patterns import patterns
from sw.network import Head, IntegerNetwork, PixelConv
from sw.network.layers.base import residual_of


def walk(context: Context, note: dict) -> IntegerNetwork:
    """Return the integer network of a fresh context; ``note`` goes to ``meta["frac_bits"]``.

    Raises SpikeloomError for what no pattern takes, DoesNotFitError for other formats to be tried.
    """
    zeros = _zero_weights(context)
    table = patterns()
    for node in context.net.nodes:
        for pattern in table:
            if isinstance(node, pattern.node) and pattern.lower(context, node):
                break
    for node in context.net.nodes:
        known = isinstance(node, g.Average | g.MeanTokens | g.Flatten | g.Linear)
        if node.name not in context.done and not known:
            context.fail(node, "no layer of the hardware does this here")
    last = context.layers[-1] if context.layers else None
    if not isinstance(last, Head):
        context.fail(context.net.nodes[-1], "a network ends in its logits")
    options = context.options
    pixel = next((la for la in context.layers if isinstance(la, PixelConv)), None)
    meta = {
        **context.net.meta,
        "frac_bits": {"bits": context.frac_bits, **note},
        "pixel_weight_bits": pixel.weight_bits if pixel else 0,
        "head_weight_bits": last.weight_bits,
        "attention_maps": context.maps,
    }
    residuals = (residual_of(layer) for layer in context.layers)
    outputs = (residual.output for residual in residuals if residual is not None)
    units = {name: context.units.one(name) for name in outputs}
    units = {name: one for name, one in units.items() if one != 2.0**context.frac_bits}
    if units:
        meta["units"] = units
    if pixel:
        meta["pixel_shift"] = pixel.pixel_shift
    if context.dead:
        meta["dead_channels"] = context.dead
    if zeros:
        meta["zero_weights"] = f"{options.zero_weights}: {'; '.join(zeros)}"
    return IntegerNetwork(
        name=context.net.name,
        steps=context.steps,
        channels=context.net.channels,
        height=options.height,
        width=options.width,
        classes=context.net.classes,
        frac_bits=context.frac_bits,
        layers=tuple(context.layers),
        per_step_input=options.per_step,
        stream=options.stream,
        meta=meta,
    )


def _zero_weights(context: Context) -> list[str]:
    """What there are of weights without a sign, a line for each convolution."""
    zeros: list[str] = []
    for node in context.net.nodes:
        if isinstance(node, g.Conv) and node.binary:
            count = int((g.binarise(node.weight) == 0).sum())
            if count:
                zeros.append(f"{node.name} has {count} of {node.weight.size}")
    if zeros and context.options.zero_weights == "refuse":
        raise SpikeloomError(
            f"{context.net.name}: weights equal to their filter's mean have sign 0, which one "
            f"bit cannot hold: {'; '.join(zeros)}; lower with zero_weights='plus' or "
            "'minus' (--zero-weights plus|minus), or train on"
        )
    return zeros
