"""What lies in a data set's folder of the cache."""

from hw.common.errors import SpikeloomError

IMAGES = "train-images-idx3-ubyte.gz"


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != ".lock")


def said(call, *arguments):
    """Give what ``call`` says when it refuses, nothing if it does not, and what it returned."""
    try:
        return "", call(*arguments)
    except SpikeloomError as error:
        return str(error), None
