"""Small Q-SNNs of every kind."""

from sw.families.qsnn.config import QsnnConfig

SMALL = {
    "residual": QsnnConfig(
        widths=(4, 6),
        blocks=(2, 1),
        height=9,
        width=7,
        channels=2,
        steps=3,
        membrane_bits=4,
        mean=(0.4, 0.5),
        std=(0.2,),
        classes=3,
    ),
    "wide stem": QsnnConfig(
        widths=(4, 4, 8, 8), blocks=(1, 1, 1, 2), stem=7, height=33, width=40, membrane_bits=2
    ),
    "batch alpha": QsnnConfig(widths=(4, 6), blocks=(1, 1), alpha=None),
    "vgg with pools": QsnnConfig(
        net="vgg", widths=(4, 6, 6), halve=(1, 2), height=13, width=10, channels=3
    ),
    "vgg with one pool": QsnnConfig(net="vgg", widths=(4, 6, 6, 8), halve=(2,), height=6, width=5),
    "vgg with strides": QsnnConfig(
        net="vgg", widths=(4, 6, 6, 8), halve=(1, 3), downsampling="stride", height=9, width=6
    ),
    "vgg of one pixel": QsnnConfig(
        net="vgg", widths=(8, 6, 8), kernel=1, height=1, width=1, channels=5, steps=3
    ),
}
