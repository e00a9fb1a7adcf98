"""Where the stored trained networks and users' inputs lie; see the READMEs there."""

import pathlib

FIXTURES = pathlib.Path(__file__).resolve().parent / "data"
CASES = FIXTURES / "cases"
