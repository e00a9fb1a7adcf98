"""Where the stored trained networks lie; see the README there."""

import pathlib

FIXTURES = pathlib.Path(__file__).resolve().parents[1].parent / "shared" / "fixtures"
