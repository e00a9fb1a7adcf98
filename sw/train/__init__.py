"""Training: `sw.train.loop.train` with options of a family, and ``python -m sw.train``.

Nothing is imported here, so that the command line can say in one sentence that torch is missing.
"""
