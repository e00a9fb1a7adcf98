"""Loops compiled by numba where it works, and their machine code kept where there is a place.

numba's own cache lies beside the sources or in the home directory, fails where neither can be
written, trusts whatever lies there, and ends a run when the disk is full. This one lies in
``cache_folder("numba")`` (or ``$NUMBA_CACHE_DIR``), checks a digest of what it reads, and without a
place the loops are compiled anew by each process.
"""

import functools
import hashlib
import inspect
import os
import pickle
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hw.common.errors import SpikeloomError
from hw.common.files import cache_folder, digest, whole


def numba() -> types.ModuleType | None:
    """Return the package numba, or None where it is missing, broken or switched off.

    A broken one is told by a warning.
    """
    try:
        import numba as package
    except ModuleNotFoundError as error:
        if error.name == "numba":
            return None
        return _broken(error)
    except (ImportError, OSError, AttributeError, SystemError, RuntimeError, TypeError) as error:
        return _broken(error)  # another numpy than it was built for, a library that is not there
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return None
    return package


def _broken(error: BaseException) -> None:
    """Warn once that numba is there and does not work, and why."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    warnings.warn(
        f"numba is installed but cannot be imported ({reason}); numpy computes the same, slower",
        stacklevel=3,
    )


def jit(function: Callable, **options: Any) -> Any:
    """Return ``function`` compiled by ``numba.njit(**options)``, its code kept on the disk.

    Only where ``numba()`` is not None.
    """
    package = numba()
    assert package is not None
    dispatcher = package.njit(**options)(function)
    folder = _folder()
    if folder is not None and hasattr(dispatcher, "_cache"):
        dispatcher._cache = _Cache(function, folder, options)
    return dispatcher


@functools.cache
def _folder() -> Path | None:
    """Return the folder of the kept code, or None where none can be written."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    try:
        if not given:
            return cache_folder("numba")
        folder = Path(given).absolute() / "spikeloom"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder
    except (SpikeloomError, OSError):
        return None


class _Cache:
    """Kept code of one function; what numba's dispatcher asks of a cache.

    A file holds the SHA-256 of the rest, then the pickled code.
    """

    def __init__(self, function: Callable, folder: Path, options: dict[str, Any]):
        import numba as package

        self.folder, self.name, self.enabled = folder, function.__name__, True
        module = sys.modules[function.__module__]
        try:
            source = inspect.getsource(module)
        except OSError:
            source = function.__code__.co_code.hex()
        numbers = {
            name: value for name, value in vars(module).items() if isinstance(value, int | float)
        }
        self.made_of = (
            package.__version__,
            sys.version,
            function.__module__,
            function.__qualname__,
            source,
            repr(sorted(numbers.items())),
            repr(sorted(options.items())),
        )

    @property
    def cache_path(self) -> str:
        return str(self.folder)

    def enable(self) -> None:
        self.enabled = True

    def disable(self) -> None:
        self.enabled = False

    def flush(self) -> None:
        for path in self.folder.glob(f"{self.name}-*.code"):
            path.unlink(missing_ok=True)

    def _path(self, signature: Any, codegen: Any) -> Path:
        """Return the file of one signature on this processor."""
        key = digest(*self.made_of, repr(signature), repr(codegen.magic_tuple()))
        return self.folder / f"{self.name}-{key[:32]}.code"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the kept code, or None where there is none that is whole."""
        from numba.core.compiler import CompileResult

        target_context.refresh()
        if not self.enabled:
            return None
        try:
            content = self._path(sig, target_context.codegen()).read_bytes()
        except OSError:
            return None
        seal, data = content[:32], content[32:]
        if hashlib.sha256(data).digest() != seal:
            return None
        try:
            return CompileResult._rebuild(target_context, *pickle.loads(data))
        except (pickle.PickleError, ImportError, AttributeError, TypeError, ValueError):
            return None  # written by another version of a package below numba

    def save_overload(self, sig: Any, cres: Any) -> None:
        """Keep the code of ``cres``, where it can be and there is room."""
        from numba.core.serialize import dumps

        if not self.enabled or cres.lifted or cres.library.has_dynamic_globals:
            return
        data = dumps(cres._reduce())
        path = self._path(sig, cres.library.codegen)
        try:
            with whole(path) as part:
                part.write_bytes(hashlib.sha256(data).digest() + data)
        except SpikeloomError:
            pass  # a full disk: compiled anew next time
