"""The harness's DRAM in the terms of the burst-level model."""

import numpy as np
from numpy.typing import NDArray

from sim.timing.dram import DramParameter
from testbench.rtl.dram_channel import DramChannel

__all__ = ["OF_THE_PORTS", "true_parameters"]

OF_THE_PORTS = (DramParameter.START,)
"""Measured parameters that are not the DRAM's."""


def true_parameters(dram: DramChannel, start: int = 0) -> NDArray[np.int64]:
    """All parameters, as the C++ has them; ``start`` is the harness's."""
    row = np.zeros(len(DramParameter), np.int64)
    for parameter in DramParameter:
        if parameter not in OF_THE_PORTS:
            row[parameter] = getattr(dram, parameter.name.lower())
    row[DramParameter.START] = start
    row[DramParameter.READ_LATENCY] += dram.back
    row[DramParameter.WRITE_LATENCY] += dram.back
    row[DramParameter.REFRESH] += dram.precharge_all
    return row
