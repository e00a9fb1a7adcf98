"""Networks as graphs of the Neuromorphic Intermediate Representation (NIR): ``sw.nir.save``."""

from sw.frontend.nir.write import DT, save, to_graph

__all__ = ["DT", "save", "to_graph"]
