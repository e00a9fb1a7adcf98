"""Report pages: one HTML file that tells what a build or a simulation knows, and what spikes do.

::

    write(gather(program, network, report=report), "report.html")

Charts are matplotlib's; where that is missing, ``missing()`` says so in a sentence.
"""

from sw.page.gather import gather
from sw.page.write import missing, write

__all__ = ["gather", "missing", "write"]
