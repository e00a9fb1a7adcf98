"""Modules with a fault in their source, to see that a proof of them fails."""

import importlib.util
import inspect
import sys
from types import ModuleType


def faulty(module: ModuleType, old: str, new: str) -> ModuleType:
    """Return a copy of a module whose source has ``new`` in the only place that holds ``old``."""
    text = inspect.getsource(module)
    assert text.count(old) == 1, (module.__name__, old, text.count(old))
    name = f"{module.__name__}_faulty"
    spec = importlib.util.spec_from_loader(name, loader=None)
    assert spec
    copy = importlib.util.module_from_spec(spec)
    sys.modules[name] = copy  # its classes look their annotations up there
    exec(compile(text.replace(old, new), str(module.__file__), "exec"), vars(copy))
    return copy
