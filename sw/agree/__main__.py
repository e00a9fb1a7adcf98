"""``python -m sw.agree``."""

import sys

from sw.agree.command import main

if __name__ == "__main__":
    sys.exit(main())
