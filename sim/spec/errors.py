"""Errors by source of fault; the command line prints their one line and exits with its status."""

__all__ = [
    "CosilicoError",
    "DesignFileError",
    "MachineError",
    "NotRealizableError",
    "RtlError",
    "StaleCalibrationError",
]


class CosilicoError(Exception):
    """Any fault of the input that one line can explain (exit status 2)."""


class DesignFileError(CosilicoError):
    """A file is missing, truncated, of the wrong version or does not match another."""


class NotRealizableError(CosilicoError):
    """The configuration cannot be generated, or the network cannot be compiled for it."""


class StaleCalibrationError(CosilicoError):
    """Timing constants were measured on another gateware than the present gateware."""


class RtlError(RuntimeError):
    """The RTL did what the model says it never does: hung, broke a bus rule, reported a fault.

    That is a difference between model and RTL (exit status 1).
    """


class MachineError(RuntimeError):
    """The machine failed, not the input: a program is missing or was killed (exit status 3)."""
