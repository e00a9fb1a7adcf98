"""Write networks as graphs of the Neuromorphic Intermediate Representation (NIR).

``sw.load`` reads them back. Each neuron is a NIR LIF in steps of ``dt`` by forward Euler.
"""

import pathlib
import re
from typing import Any

import numpy as np

from hw.common import files
from hw.common.errors import SpikeloomError
from sw.frontend.nir.file import SUFFIX
from sw.frontend.nir.writer import Writer
from sw.graph import FloatNetwork

DT = 1e-4  #: Length of a step in a written file, seconds; what snnTorch takes too.


def save(
    net: FloatNetwork,
    path: str | pathlib.Path,
    *,
    image_size: tuple[int, int] | None = None,
    dt: float = DT,
    lossy: bool = False,
) -> pathlib.Path:
    """Write ``net`` to ``path`` and return that; the same network gives the same bytes.

    Parameters
    ----------
    path : ends in .nir.
    image_size : height and width; needed only where ``net`` does not know them.
    dt : length of a time step in seconds, unit of the time constants written.
    lossy : write quantised states and resets by subtraction too. They stand in the metadata,
        where ``sw.load`` finds them; NIR has no node for them, so other tools run a full-width
        membrane and a reset to 0.
    """
    path = pathlib.Path(path)
    if path.suffix != SUFFIX:
        raise SpikeloomError(f"{path}: ends in {path.suffix!r}, wanted '.nir'; name the output so")
    graph = to_graph(net, image_size=image_size, dt=dt, lossy=lossy)
    with files.whole(path, "check space and permissions") as part:
        try:
            _package().write(part, graph)
        except (OSError, RuntimeError) as error:  # what h5py says is many lines
            known = re.search(r"error message = '([^']*)'", str(error))
            reason = getattr(error, "strerror", None) or (known[1] if known else "by HDF5")
            raise SpikeloomError(
                f"{path}: cannot be written ({reason}); check space and permissions"
            ) from error
    return path


def to_graph(
    net: FloatNetwork,
    *,
    image_size: tuple[int, int] | None = None,
    dt: float = DT,
    lossy: bool = False,
):
    """``net`` as a ``nir.NIRGraph``; see ``save``."""
    nir = _package()
    size = image_size or net.size
    if size is None:
        raise SpikeloomError(
            f"{net.name}: the image size is not known, and NIR stores the shape of every layer; "
            "give image_size=(height, width)"
        )
    if not 0 < dt < np.inf:
        raise SpikeloomError(f"{net.name}: dt must be above 0, not {dt!r}")
    writer = Writer(nir, net, (int(size[0]), int(size[1])), float(dt))
    writer.write()
    if writer.faults:
        raise SpikeloomError(
            f"{net.name}: NIR has no node for {'; '.join(writer.faults)}; keep it as .safetensors"
        )
    if writer.lost and not lossy:
        raise SpikeloomError(
            f"{net.name}: NIR has no node for {'; '.join(writer.lost)}; give lossy=True (--lossy) "
            "to write them as metadata, which sw.load reads and other tools do not"
        )
    return writer.graph()


def _package() -> Any:
    """The package ``nir``."""
    try:
        import nir

        return nir
    except ImportError:
        raise SpikeloomError(
            "Writing NIR graphs needs the nir package; pip install -e '.[nir]'"
        ) from None
