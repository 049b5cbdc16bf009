"""The window of external memory that addresses must lie in."""

from typing import Any

from amaranth.lib import data

from sim.spec.bus import PAGE_BYTES

__all__ = ["PAGE_SHIFT", "outside", "pages_layout"]

PAGE_SHIFT = PAGE_BYTES.bit_length() - 1


def pages_layout() -> data.StructLayout:
    """Layout of a window: numbers of its ``first`` and ``last`` page of 4 KiB."""
    return data.StructLayout({"first": 32 - PAGE_SHIFT, "last": 32 - PAGE_SHIFT})


def outside(pages: Any, address: Any) -> Any:
    """Return whether an address lies outside of the window; with it a burst, which keeps to a page."""
    page = address[PAGE_SHIFT:]
    return (page < pages.first) | (page > pages.last)
