"""Report of a unit on an error that stops the program."""

from amaranth.lib import data

from sim.spec.stops import StopCause

__all__ = ["CAUSE_BITS", "RESPONSE_BITS", "fault_layout"]

CAUSE_BITS = max(StopCause).bit_length()
RESPONSE_BITS = 2


def fault_layout() -> data.StructLayout:
    """Layout of a fault: ``valid`` in its cycle, and then the fields of ERROR and ERROR_ADDRESS.

    ``response`` is the bus's with the cause RESPONSE, else 0.
    """
    return data.StructLayout(
        {"valid": 1, "cause": CAUSE_BITS, "response": RESPONSE_BITS, "address": 32}
    )
