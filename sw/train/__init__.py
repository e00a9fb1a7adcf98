"""Training: `sw.train.loop.train`, the options in `sw.train.options`, and ``-m sw.train``.

Nothing is imported here, so that the command line can say in one sentence that torch is missing.
"""
