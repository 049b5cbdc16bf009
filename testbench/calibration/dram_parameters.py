"""The harness's DRAM in the terms of the burst-level model."""

import numpy as np
from numpy.typing import NDArray

from hwgen.gateware.primitives.fifo import Fifo
from hwgen.gateware.transfer.load import LoadUnit
from hwgen.gateware.transfer.store import StoreUnit
from sim.timing.dram import MEASURED, DramParameter
from testbench.rtl.dram_channel import DramChannel

__all__ = ["FROM_GATEWARE", "OF_THE_PORTS", "true_parameters"]

OF_THE_PORTS = (DramParameter.START, *(p for p in MEASURED if p >= DramParameter.FETCH_DELAY))
"""Measured parameters that are not the DRAM's."""

FROM_GATEWARE = {
    DramParameter.LOAD_REQUEST: LoadUnit.FIRST_REQUEST,
    DramParameter.STORE_ADDRESS: StoreUnit.FIRST_ADDRESS,
    DramParameter.STORE_BEAT: StoreUnit.FIRST_BEAT,
    DramParameter.STORE_LAG: Fifo.LATENCY,
}
"""Delays that the gateware's classes state; a start and a done alone do not show them."""


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
