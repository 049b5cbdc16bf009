"""The host's part in a run: window, time-out, abort and reset."""

from dataclasses import dataclass

from sim.spec.bus import ADDRESS_BITS, PAGE_BYTES

__all__ = ["LAST_PAGE", "Host"]

LAST_PAGE = (1 << ADDRESS_BITS) - PAGE_BYTES
"""WINDOW_LIMIT that leaves every address inside."""

NEVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The host's settings and actions besides naming the program's address.

    Parameters
    ----------
    timeout : int
        TIMEOUT: cycles without progress that stop a program, 0 for any number.
    window_base, window_limit : int
        The registers' values: multiples of 4 KiB. All addresses if not given.
    abort_at, reset_at : int, optional
        Cycle of every run, 1 or more, in which the host begins to write ``CONTROL.abort``, or in which
        the accelerator's reset rises. Not both. A run that is reset has ended.
    """

    timeout: int = 0
    window_base: int = 0
    window_limit: int = LAST_PAGE
    abort_at: int | None = None
    reset_at: int | None = None

    def __post_init__(self) -> None:
        """Check every value's range."""
        if not 0 <= self.timeout < 1 << 32:
            raise ValueError(f"timeout must be in 0 … 2**32 - 1, not {self.timeout!r}")
        for name in ("window_base", "window_limit"):
            value = getattr(self, name)
            if not 0 <= value <= LAST_PAGE or value % PAGE_BYTES:
                raise ValueError(f"{name} must be a 32-bit multiple of 4096, not {value!r}")
        for name in ("abort_at", "reset_at"):
            cycle = getattr(self, name)
            if cycle is not None and not 1 <= cycle < NEVER:
                raise ValueError(f"{name} must be at least 1, not {cycle!r}")
        if self.abort_at is not None and self.reset_at is not None:
            raise ValueError("abort_at must not be given with reset_at")

    @property
    def job_values(self) -> dict[str, int]:
        """Lines of the job, by key."""
        return {
            "timeout": self.timeout,
            "window_base": self.window_base,
            "window_limit": self.window_limit,
            "abort_at": NEVER if self.abort_at is None else self.abort_at,
            "reset_at": NEVER if self.reset_at is None else self.reset_at,
        }
