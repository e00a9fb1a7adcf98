"""Options of a Q-SNN's run: defaults, and what is refused."""

import dataclasses

import pytest

from hw.common.errors import SpikeloomError
from sw.families.bestformer.options import BestformerOptions
from sw.train.learner import make_learner
from tests.families.qsnn.small import OPTIONS, TINY


def test_option_mistakes():
    with pytest.raises(SpikeloomError, match=r"rate_weight is -1, wanted 0 or more; .*--rate-w"):
        dataclasses.replace(OPTIONS, rate_weight=-1)
    with pytest.raises(SpikeloomError, match="epochs is 0, wanted 1 or more; change --epochs"):
        dataclasses.replace(OPTIONS, epochs=0)
    with pytest.raises(SpikeloomError, match=r"configuration of a Q-SNN, .*use QsnnOptions"):
        make_learner(BestformerOptions(config=TINY))
