"""Child process of ``hw.tools.yosys``: run a Yosys script, everything it says into a log.

Usage: ``python yosys_child.py SCRIPT LOG``.
"""

import sys


def main(script: str, log: str) -> None:
    """Run the commands of ``script``; an error ends the process with status 1."""
    from pyosys import libyosys  # pyright: ignore[reportAttributeAccessIssue]

    design = libyosys.Design()
    design.run_pass(f"tee -q -a {log} script {script}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
    sys.stdout.flush()
