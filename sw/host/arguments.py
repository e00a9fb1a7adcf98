"""Options of the command line of `sw.host`."""

import argparse

from hw.arch import link
from hw.common.cli import prog
from hw.common.options import whole
from sw.host.image import KINDS
from sw.host.samples import count
from sw.host.sequences import KIND

TESTED = 10  #: Images of a self-test.
MEASURED = 100  #: Images of a test, and of a bench.
MODEL = "a shipped network's name, a model file, an integer network or a compiled program"


def parser(default: str) -> argparse.ArgumentParser:
    """Return the parser; ``default`` is the network that is taken where none is named."""
    p = argparse.ArgumentParser(
        prog=prog("sw.host"), description="Run images on a Spikeloom device at a serial port."
    )
    p.add_argument(
        "--port",
        help="serial port, such as /dev/ttyUSB1 or COM3; if not given, that of the one USB device",
    )
    p.add_argument(
        "--baud",
        type=whole("a number of bits per second", link.BAUD, link.BAUD),
        default=max(link.RATES),
        help=f"most bits per second, from {link.BAUD} (%(default)s)",
    )
    sub = p.add_subparsers(dest="command", required=True)
    sub.add_parser("list", help="print the serial ports, and which have a device")
    sub.add_parser("info", help="print what the device is, holds and does")
    load = sub.add_parser("load", help="write a network into the device")
    load.add_argument("model", metavar="MODEL", help=MODEL)
    infer = sub.add_parser("infer", help="run images and print their classes")
    infer.add_argument(
        "images", nargs="+", metavar="IMAGE", help=f"{KINDS} (test split), or a folder of images"
    )
    test = sub.add_parser("test", help="run many images: accuracy, confusion, speed, cycles")
    test.add_argument(
        "folder",
        nargs="?",
        metavar="FOLDER",
        help="of images, each in a folder that has its class's number as name; if not given, the "
        "network's own test images",
    )
    bench = sub.add_parser("bench", help="measure images per second, and cycles by layer")
    stream = sub.add_parser(
        "stream", help="run frames one after the other, membranes kept from step to step"
    )
    stream.add_argument(
        "frames",
        metavar="FRAMES",
        help=f".npy of bytes, shape (frames, channels, height, width), or a test sequence, {KIND}",
    )
    selftest = sub.add_parser(
        "selftest",
        help="run images, compare logits with the golden model and cycles with the "
        "forecast; status 1 where any differ",
    )
    selftest.add_argument(
        "--network",
        metavar="NETWORK",
        help="the network that the compiled program --model was made from: without it logits are "
        "compared with the program's interpreter alone",
    )
    sub.add_parser("abort", help="stop the device's core, whatever it does")
    for each, number in ((test, MEASURED), (bench, MEASURED), (selftest, TESTED)):
        each.add_argument(
            "--images", metavar="N", type=count, default=number, help="how many (%(default)s)"
        )
    for each in (infer, test, bench, stream, selftest):
        each.add_argument(
            "--model",
            "--program",
            metavar="MODEL",
            help=f"{MODEL}; if not given, the shipped network that the device holds, else "
            f"{default}",
        )
        each.add_argument(
            "--loaded",
            action="store_true",
            help="the device holds the network already: neither compare its memories nor load it",
        )
    return p
