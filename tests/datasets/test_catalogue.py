"""What is written down of every data set."""

from sw.data.catalogue import SOURCES


def test_catalogue_is_consistent():
    for source in SOURCES.values():
        assert len(set(source.classes)) == len(source.classes)
        assert bool(source.files) == (source.kind != "embedded")
        assert bool(source.files) == bool(source.mirrors or source.wheel)
        assert bool(source.frames) == (source.kind == "sequences")
        assert all(m.startswith("http") and m.endswith("/") for m in source.mirrors)
        for file in source.files:
            assert len(bytes.fromhex(file.digest)) == 16
            if source.kind == "idx":
                assert file.plain
                n = source.train if "train" in file.name else source.test
                bytes_each = 784 if "images" in file.name else 1
                head = 16 if "images" in file.name else 8
                assert file.plain.size == head + n * bytes_each
    digests = [f.digest for s in SOURCES.values() for f in s.files]
    assert len(set(digests)) == len(digests)
