"""Q-SNN, spiking networks of binary weights and few-bit membranes: what `sw.families` knows."""

from hw.common.options import real
from sw.families.arguments import argument
from sw.families.family import Family, Training
from sw.families.qsnn import reader
from sw.families.qsnn.config import DOWNSAMPLINGS, KERNELS, MEMBRANE_BITS, NETS, STEMS, QsnnConfig
from sw.families.qsnn.keys import unify
from sw.families.qsnn.options import QsnnOptions


def _alpha(text: str) -> float | None:
    """Scale of stored membranes; 'batch' is None."""
    return None if text == "batch" else real("a scale or 'batch'", "1.0 (or batch)")(text)


_ARGUMENTS = (
    argument("net", "residual or VGG net", choices=NETS),
    argument("widths", "channels of each stage, or of each VGG convolution", type=int, nargs="+"),
    argument("blocks", "basic blocks of each stage of a residual net", type=int, nargs="+"),
    argument(
        "kernel",
        "of a VGG net's convolutions; 1 where an image is one pixel",
        type=int,
        choices=KERNELS,
    ),
    argument("stem", "kernel of a residual net's first convolution", type=int, choices=STEMS),
    argument("halve", "VGG convolutions, from 1 on, that read half the size", type=int, nargs="*"),
    argument("downsampling", "how VGG nets halve", choices=DOWNSAMPLINGS),
    argument(
        "regulated",
        "weight regulation: weights standardised before their sign; a "
        "network without is for comparison only",
        type=bool,
    ),
    argument("membrane_bits", "of a stored membrane", type=int, choices=MEMBRANE_BITS),
    argument(
        "alpha",
        "scale of stored membranes, or 'batch' for the authors' maximum over the batch",
        type=_alpha,
    ),
)

QSNN = Family(
    name="qsnn",
    title=reader.FAMILY,
    keys="conv1.weight, layer1.0.conv1.weight, ... or features.0.fwd.module.0.weight, ...",
    settings=reader.SETTINGS,
    recognises=reader.recognises,
    read=reader.read,
    told=reader.told,
    unify=lambda state: unify(state)[0],
    own_names=r"layer\d+\.\d+\.(?:conv|bn|downsample)|features\.\d+\.(?:fwd|act)",
    own_modules=r"\.(?:fwd|layer|seqbn)\.module\.|(?:^|\.)classifier\.module\.",
    comparison=("regulated",),
    training=Training(
        config=QsnnConfig,
        options=QsnnOptions,
        arguments=_ARGUMENTS,
        run_arguments=(argument("rate_weight", "share of the spike-rate loss", type=float),),
        summary="a quantised spiking network (Q-SNN)",
        predicts="the mean of a Q-SNN's steps",
        optimiser="SGD",
        streams=True,
        hooks="sw.families.qsnn.training",
    ),
)
