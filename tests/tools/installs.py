"""Stand-ins for the open 7-series tools, in the layouts that their installers leave.

They are small scripts that answer as the tools do: their help and their version, and what they
write where they are run. A router notes how it was called in the file that ``CALLED`` names.
"""

from pathlib import Path

PART, BASE, SERIES = "xc7a35tcsg324-1", "xc7a35tcsg324", "artix7"
FORK_HELP = "  --chipdb arg   name of chip database binary\n  --xdc arg\n  --fasm arg"
HIMBAECHEL_HELP = "  --device arg   name of device to use\n  --chipdb arg\n  -o [ --vopt ] arg"
FRAMES = 'for a; do last=$a; done; echo frames > "$last"'
BIT = 'for a; do case "$p" in --output_file) echo bits > "$a";; esac; p=$a; done'
ASSEMBLER = 'test -f "$3" && echo bits of fpga-as'


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def router(path: Path, version: str, himbaechel: bool = False, fasm: str = "routed") -> Path:
    """A router that writes ``fasm``, in the command line of its generation."""
    usage, name = (HIMBAECHEL_HELP, "himbaechel") if himbaechel else (FORK_HELP, "xilinx")
    write = (
        f"""case "$a" in fasm=*) printf '%s\\n' '{fasm}' > "${{a#fasm=}}";; esac"""
        if himbaechel
        else f"""case "$p" in --fasm) printf '%s\\n' '{fasm}' > "$a";; esac"""
    )
    text = f"""\
case "$1" in
--help) printf '%s\\n' '{usage}'; exit 1;;
--version) echo '"nextpnr-{name}" -- Next Generation Place and Route (Version {version})' >&2
exit 1;;
esac
echo "$@" > "${{CALLED:-/dev/null}}"
for a; do {write}; p=$a; done"""
    return script(path, text)


def database(folder: Path, *parts: str) -> Path:
    for part in parts or (PART,):
        (folder / SERIES / part).mkdir(parents=True)
        (folder / SERIES / part / "part.yaml").write_text("", encoding="utf-8")
    return folder


def chip(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("chip", encoding="utf-8")
    return path


def pair(folder: Path) -> None:
    script(folder / "fasm2frames", FRAMES)
    script(folder / "xc7frames2bit", BIT)
