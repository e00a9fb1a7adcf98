"""A run of seconds of a small Q-SNN."""

from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.options import QsnnOptions

TINY = QsnnConfig(widths=(4, 8), blocks=(1, 1), height=8, width=8)
OPTIONS = QsnnOptions(config=TINY, epochs=3, batch=32, seed=7, validation=30)
