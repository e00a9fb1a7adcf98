"""Integer network and configuration to program."""

import numpy as np

from hw.arch import isa, schedule
from hw.arch.config import Config
from hw.arch.outside import CONTRACT, Contract
from hw.common.errors import SpikeloomError
from sw.compiler.mapper import map_network
from sw.compiler.program import VERSION, Program
from sw.compiler.records import Forecast
from sw.network import Head, IntegerNetwork


class MisfitError(SpikeloomError):
    """A network does not fit a core; the message has a line for each memory and setting."""


def compile_network(
    net: IntegerNetwork, config: Config | None = None, contract: Contract = CONTRACT
) -> Program:
    """Compile an integer network for one core.

    ``config`` defaults to ``Config()``. ``contract`` is what the memory outside is taken to keep
    to, where anything comes from there (``config.block_depth``). Raises MisfitError where the
    network does not fit, naming every memory and setting at once.
    """
    config = config or Config()
    mapper = map_network(net, config)
    if misfits := mapper.misfits():
        raise MisfitError(
            f"network {net.name!r} does not fit the core ({config.rows} rows, {config.cols} "
            f"columns, {config.width} bits):\n  " + "\n  ".join(misfits)
        )
    head = net.layers[-1]
    assert isinstance(head, Head)  # checked by IntegerNetwork
    decoded = isa.instructions(mapper.words)
    cycles = schedule.program_cycles(config, decoded, contract=contract)
    columns = np.ascontiguousarray(mapper.constants.image).view("<u4").astype(np.uint32)
    return Program(
        name=net.name,
        config=config,
        digest=config.digest,
        version=VERSION,
        words=np.array(mapper.words, np.uint32),
        columns=columns,
        steps=net.steps,
        input_shape=mapper.place.input_shape,
        image_memory=mapper.place.image_memory,
        image_base=mapper.place.image_base,
        logits_base=mapper.place.logits_base,
        classes=net.classes,
        logits_scale=float(head.scale),
        labels=tuple(mapper.labels),
        forecast=tuple(
            Forecast(layer=label.layer, op=label.op, cycles=int(n))
            for label, n in zip(mapper.labels, cycles, strict=True)
        ),
        regions=tuple(mapper.regions),
        ops=tuple(mapper.ops),
        stream=net.stream,
        outside=mapper.constants.outside,
        contract=contract,
    )
