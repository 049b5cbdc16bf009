"""Why a program stops before its end, as the registers report it."""

from enum import IntEnum

__all__ = ["Port", "StopCause"]


class StopCause(IntEnum):
    """Field ``cause`` of the ERROR register."""

    NONE = 0
    """The program has not stopped early."""

    RESPONSE = 1
    """A bus answered with SLVERR or DECERR."""

    WINDOW = 2
    """An address lies outside of WINDOW_BASE … WINDOW_LIMIT."""

    DESCRIPTOR = 3
    """A descriptor cannot be run: a count is out of range, an address not aligned, no queue named."""

    REFUSED = 4
    """The header is damaged, or of a program for another configuration or version."""

    CHECK = 5
    """A descriptor differs from what its predecessor announces."""

    TIMEOUT = 6
    """Nothing has moved for TIMEOUT cycles."""

    ABORT = 7
    """The host has written ``CONTROL.abort``."""


class Port(IntEnum):
    """Field ``port`` of the ERROR register: where the cause has shown."""

    NONE = 0
    DESCRIPTOR = 1
    READ = 2
    WRITE = 3
