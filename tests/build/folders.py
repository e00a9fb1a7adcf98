"""What builds leave in folders."""


def files(folder):
    return [p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"]
