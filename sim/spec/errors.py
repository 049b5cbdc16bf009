"""Errors by source of fault; the command line prints their one line and exits 2."""

__all__ = ["CosilicoError", "DesignFileError", "NotRealizableError", "StaleCalibrationError"]


class CosilicoError(Exception):
    """Any fault of the input that one line can explain."""


class DesignFileError(CosilicoError):
    """A file is missing, truncated, of the wrong version or does not match another."""


class NotRealizableError(CosilicoError):
    """The configuration cannot be generated, or the network cannot be compiled for it."""


class StaleCalibrationError(CosilicoError):
    """Timing constants were measured on another gateware than the present one."""
