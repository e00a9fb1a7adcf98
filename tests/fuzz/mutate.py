"""Damage to files, blind and knowing; half of it sealed again, to get behind the checks."""

import io
import json
import re
import zipfile
import zlib

import numpy as np

from hw.common import npz
from sw.frontend import weights

WILD = [
    b"\xff" * 4,
    b"\xff\xff\xff\x7f",
    b"\x00" * 4,
    b"-1",
    b"1e999",
    b"NaN",
    b"../../x",
    b"9" * 40,
    b"[" * 500,
    b"{}",
    b"null",
    b'"',
    b"\x80",
]
NUMBERS = [
    b"-1",
    b"0",
    b"1",
    b"7",
    b"255",
    b"65536",
    b"99999999999",
    b"1e300",
    b"true",
    b"null",
    b'"x"',
    b"[]",
    b"{}",
    b"0.5",
]


def blind(rng: np.random.Generator, data: bytes, most: int = 5) -> bytes:
    """Bits flipped, bytes replaced, removed, inserted, copied."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, most + 1))):
        if len(out) < 8:
            break
        at, kind = int(rng.integers(len(out))), int(rng.integers(7))
        if kind == 0:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            out[at] = int(rng.integers(256))
        elif kind == 2:
            del out[at : at + int(rng.integers(1, 64))]
        elif kind == 3:
            out[at:at] = rng.bytes(int(rng.integers(1, 24)))
        elif kind == 4:
            other = int(rng.integers(len(out)))
            out[at : at + 16] = out[other : other + 16]
        elif kind == 5:
            wild = WILD[rng.integers(len(WILD))]
            out[at : at + len(wild)] = wild
        else:
            del out[at:]
    return bytes(out)


def text(rng: np.random.Generator, data: bytes) -> bytes:
    """Numbers and words of JSON, of a header or of a text replaced."""
    places = list(re.finditer(rb'-?\d+(?:\.\d+)?|"[^"]{0,40}"|true|false|null', data))
    if not places:
        return blind(rng, data)
    out = data
    for _ in range(int(rng.integers(1, 4))):
        found = places[rng.integers(len(places))]
        new = NUMBERS[rng.integers(len(NUMBERS))]
        if found[0][:1] == b'"' and rng.random() < 0.5:
            new = places[rng.integers(len(places))][0]
        out = out.replace(found[0], new, 1 if rng.random() < 0.7 else -1)
    return out


def _zip(rng: np.random.Generator, data: bytes, ours: bool) -> bytes:
    """One member of an archive changed, checksums and our digest made anew."""
    source = zipfile.ZipFile(io.BytesIO(data))
    infos = source.infolist()
    names = [i.filename for i in infos]
    likely = [n for n in names if n.endswith((".pkl", "json.npy", "meta.npy"))]
    chosen = str(rng.choice(likely if likely and rng.random() < 0.7 else names))
    contents = {n: source.read(n) for n in names}
    old = contents[chosen]
    if old[:6] == b"\x93NUMPY":
        start = 10 + int.from_bytes(old[8:10], "little")
        head, body = old[:start], old[start:]
        if rng.random() < 0.3:
            head = text(rng, head)
        elif body[:1] in b"{":
            body = text(rng, body)
            size = str(len(body)).encode()
            head = re.sub(rb"\((\d+),\)", b"(" + size + b",)", head)
            head = head.rstrip(b" \n").ljust(start - 1)[: start - 1] + b"\n"
        else:
            body = blind(rng, body, 2).ljust(len(body), b"\0")[: len(body)]
        contents[chosen] = head + body
    else:
        contents[chosen] = blind(rng, old, 3)
    if rng.random() < 0.1 and len(contents) > 1:
        del contents[str(rng.choice(names))]
    if ours:
        packed = {n.removesuffix(".npy"): c for n, c in contents.items()}
        packed.pop(npz.DIGEST, None)
        seal = np.frombuffer(bytes.fromhex(npz._seal(packed)), np.uint8)
        contents[f"{npz.DIGEST}.npy"] = npz._pack(seal)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", infos[0].compress_type) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return out.getvalue()


def _safetensors(rng: np.random.Generator, data: bytes) -> bytes:
    """The header changed; where it still parses, with the digest of what is there."""
    length = int.from_bytes(data[:8], "little")
    header, body = data[8 : 8 + length], data[8 + length :]
    header = text(rng, header) if rng.random() < 0.7 else blind(rng, header, 2)
    if rng.random() < 0.3:
        body = blind(rng, body, 2)
    try:
        table = json.loads(header)
        told = table.pop("__metadata__", {})
        raw = {
            n: (e["dtype"], e["shape"], body[slice(*e["data_offsets"])]) for n, e in table.items()
        }
        table["__metadata__"] = {**told, weights.DIGEST: weights._digest(raw)}
        header = json.dumps(table).encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return len(header).to_bytes(8, "little") + header + body


def _png(rng: np.random.Generator, data: bytes) -> bytes:
    """A chunk changed, its checksum made anew."""
    out, at = bytearray(data[:8]), 8
    chunks = []
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    chosen = int(rng.integers(len(chunks)))
    for n, (kind, body) in enumerate(chunks):
        if n == chosen and body:
            if kind == b"IDAT" and rng.random() < 0.5:
                body = zlib.compress(blind(rng, zlib.decompress(body)))
            else:
                body = blind(rng, body, 2)
        crc = zlib.crc32(kind + body)
        out += len(body).to_bytes(4, "big") + kind + body + crc.to_bytes(4, "big")
    return bytes(out)


def mutate(rng: np.random.Generator, kind: str, data: bytes) -> bytes:
    """One damaged file; every other one sealed again where its kind has seals."""
    if rng.random() < 0.5:
        if kind in ("npz", "torch"):
            return _zip(rng, data, False)
        if kind in ("network", "program"):
            return _zip(rng, data, True)
        if kind == "safetensors":
            return _safetensors(rng, data)
        if kind == "png":
            return _png(rng, data)
        if kind in ("side", "pgm", "pgm-text", "npy"):
            return text(rng, data)
        if kind == "legacy":
            return blind(rng, data[:6000], 3) + data[6000:]
    return blind(rng, data)
