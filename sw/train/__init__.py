"""Training: `sw.train.loop.train`, its `sw.train.options.TrainOptions`, and ``-m sw.train``.

Nothing is imported here, so that the command line can say in one sentence that torch is missing.
"""
