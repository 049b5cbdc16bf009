"""Shift registers that align control with the pipeline it steers."""

from typing import Any

from amaranth.hdl import Signal

__all__ = ["delay"]


def delay(m: Any, value: Any, cycles: int, name: str) -> Any:
    """Return `value` as it was `cycles` cycles ago, through registers named after `name`."""
    for cycle in range(1, cycles + 1):
        register = Signal(value.shape(), name=f"{name}_{cycle}")
        m.d.sync += register.eq(value)
        value = register
    return value
