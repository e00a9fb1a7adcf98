"""The README's picture of a report page: ``python -m benchmarks.page_picture FOLDER``.

Two windows of one page side by side, by day and by night, in a headless Chromium.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.browser import browser
from hw.common import files
from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from sw.page.__main__ import main as write_page

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "use" / "page.png"
WIDTH, HEIGHT = 1240, 1180  #: Of each window, pixels.
#: Section to which each window is scrolled; "": its top.
PLACES = ("", "attention")


def picture(folder: Path) -> bytes:
    """Return the picture of a build's page, PNG of few colours."""
    try:
        from PIL import Image
    except ImportError:
        raise SpikeloomError("the picture needs pillow; pip install pillow") from None
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "page.html"
        if write_page([str(folder), "--images", "1000", "--output", str(page)]):
            raise SpikeloomError(f"{folder}: no page of this")
        with browser() as running:
            shots = [
                running.show(page, WIDTH, height=HEIGHT, dark=bool(n), ready=_scroll(place))
                for n, place in enumerate(PLACES)
            ]
    both = Image.new("RGB", (WIDTH * len(shots), HEIGHT))
    for n, shot in enumerate(shots):
        both.paste(Image.open(io.BytesIO(shot.picture)), (n * WIDTH, 0))
    small = both.resize((both.width * 2 // 3, both.height * 2 // 3), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.quantize(256, Image.Quantize.MAXCOVERAGE).save(out, "PNG", optimize=True)
    return out.getvalue()


def _scroll(section: str) -> str:
    """Script that goes to a section at once."""
    if not section:
        return ""
    go = f"document.getElementById('{section}').scrollIntoView()"
    return f"document.documentElement.style.scrollBehavior = 'auto'; {go}"


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Write the picture; 0, or 1 where something is missing."""
    p = argparse.ArgumentParser(
        prog=prog("benchmarks.page_picture"), description="Make the README's picture of a page."
    )
    p.add_argument("folder", metavar="FOLDER", type=Path, help="of a build that has ended")
    p.add_argument("--output", metavar="FILE", type=Path, default=PICTURE,
                   help="the picture (default: docs/use/page.png)")  # fmt: skip
    args = p.parse_args(argv)
    if not args.folder.is_dir():
        raise SpikeloomError(f"{args.folder} is no folder of a build; python -m hw.build makes one")
    data = picture(args.folder)
    print(f"{files.write(args.output, data)}: {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
