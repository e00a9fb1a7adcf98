"""Options of a Q-SNN's run: defaults, and what is refused."""

import dataclasses

import pytest

from hw.common.errors import SpikeloomError
from sw.families.bestformer.options import BestformerOptions
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.options import QsnnOptions
from sw.train.learner import make_learner
from tests.families.qsnn.small import OPTIONS, TINY


def test_option_mistakes():
    with pytest.raises(SpikeloomError, match=r"rate_weight is -1, wanted 0 or more; .*--rate-w"):
        dataclasses.replace(OPTIONS, rate_weight=-1)
    with pytest.raises(SpikeloomError, match="epochs is 0, wanted 1 or more; change --epochs"):
        dataclasses.replace(OPTIONS, epochs=0)
    with pytest.raises(SpikeloomError, match=r"configuration of a Q-SNN, .*use QsnnOptions"):
        make_learner(BestformerOptions(config=TINY))


def test_what_is_not_said():
    options = QsnnOptions()
    assert options.config == QsnnConfig()
    assert (options.epochs, options.lr, options.weight_decay) == (100, 0.1, 5e-4)
    assert (options.warms, options.rate_weight) == (0, 5e-3)
    assert options.to_json()["rate_weight"] == 5e-3


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1e-9])
def test_rate_weight_is_a_number_from_zero_up(rate):
    with pytest.raises(SpikeloomError, match=r"rate_weight is .*, wanted 0 or more"):
        QsnnOptions(rate_weight=rate)
    assert QsnnOptions(rate_weight=0).rate_weight == 0
