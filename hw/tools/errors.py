"""Failures of outside tools, told to the user without a traceback."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hw.common.errors import SpikeloomError


class ToolchainNotFound(SpikeloomError):
    """A tool is not installed; the message names the cure."""

    def __init__(self, tool: str, cure: str):
        self.tool = tool
        super().__init__(f"{tool} was not found; {cure}")


class ToolFailed(SpikeloomError):
    """A tool ended with an error; the message carries its exit status and the end of its log."""

    def __init__(self, tool: str, status: int, log: Path, lines: Iterable[str]):
        self.tool, self.status, self.log = tool, status, Path(log)
        self.lines = telling(list(lines))
        super().__init__(tool, status)

    def __str__(self) -> str:
        how = (
            f"was ended by signal {-self.status}"
            if self.status < 0
            else f"failed with exit status {self.status}"
        )
        head = f"{self.tool} {how} (log: {self.log})"
        return "\n".join([head, *(f"  {line}" for line in self.lines)])


def telling(lines: Sequence[str], count: int = 8) -> list[str]:
    """Return the lines of a log that say what went wrong: the errors, or else the last ones."""
    lines = [line.rstrip() for line in lines if line.strip()]
    errors = [line for line in lines if "ERROR" in line or line.lower().startswith("error")]
    return (errors or lines)[-count:]
