"""The cache of builds, compiled kernels and named networks: what is in it, and removing some."""

import re
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cosilico.console import Column, fitted_table, output_console
from hwgen.build_cache import remove_unfinished
from sim.spec.errors import CosilicoError
from sim.spec.files import cache_root, remove_stale

__all__ = ["KINDS", "Entry", "entries", "print_store", "prune"]

KINDS = {
    "harness": "simulations",
    "verilog": "emitted Verilog",
    "runtime": "Verilator's library",
    "equivalence": "comparisons of views",
    "kernels": "kernels of the model",
    "networks": "named networks",
    "synthesis": "mapped modules",
    "routing": "routed modules",
    "sources": "digests of sources",
}
"""Folders of the cache, and what their entries are."""

DAY_S = 86_400
MEGABYTE = 10**6
_NAME = re.compile(r"(?:[a-z]\w*-\d+-)?[0-9a-f]{16,24}")
"""An entry's name; what is called otherwise is not of this cache's making and stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A folder of the cache that is made again where it is missing.

    Parameters
    ----------
    kind : str
        Key of ``KINDS``.
    path : Path
    size_bytes : int
    used_s : float
        Time of its last use, as of :func:`time.time`.
    """

    kind: str
    path: Path
    size_bytes: int
    used_s: float


def entries(root: Path | None = None) -> list[Entry]:
    """List all entries of the cache, those unused for longest first, then by path."""
    base = root or cache_root()
    stored = []
    for kind in KINDS:
        for path in (base / kind).glob("*"):
            if path.is_dir() and not path.is_symlink() and _NAME.fullmatch(path.name):
                size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
                used_s = path.stat().st_mtime
                stored.append(Entry(kind=kind, path=path, size_bytes=size, used_s=used_s))
    return sorted(stored, key=lambda entry: (entry.used_s, entry.path))


def prune(
    *, days: float | None = None, keep_mb: float | None = None, root: Path | None = None
) -> list[Entry]:
    """Remove entries, and what killed processes left; return the entries that were removed.

    Parameters
    ----------
    days : float, optional
        Entries that were not used for so long go.
    keep_mb : float, optional
        Of the others those that were not used for longest go, until 10⁶ bytes times this are left.
    root : Path, optional
        See :func:`sim.spec.files.cache_root`.
    """
    base = root or cache_root()
    for kind in KINDS:
        if (base / kind).is_dir():
            remove_unfinished(base / kind)
            for folder in (base / kind).glob("*"):
                remove_stale(folder)
    known, now = entries(root), time.time()
    left_bytes = sum(entry.size_bytes for entry in known)
    removed = []
    for entry in known:
        old = days is not None and now - entry.used_s >= days * DAY_S
        if old or (keep_mb is not None and left_bytes > keep_mb * MEGABYTE):
            # Under a name of something unfinished: if this is killed, the next removes the rest.
            gone = entry.path.with_name(f"{entry.path.name}.pruned")
            entry.path.rename(gone)
            shutil.rmtree(gone)
            left_bytes -= entry.size_bytes
            removed.append(entry)
    return removed


def print_store(
    *,
    pruned: bool = False,
    days: float | None = None,
    keep_mb: float | None = None,
    everything: bool = False,
) -> None:
    """Print the cache, after removing what is asked for."""
    if not pruned and (days is not None or keep_mb is not None or everything):
        raise CosilicoError("--days, --keep-mb and --all must be given with --prune")
    if pruned:
        if everything:
            days = 0
        elif days is None and keep_mb is None:
            days = 30
        removed = prune(days=days, keep_mb=keep_mb)
        print(f"removed {len(removed)} entries of {_megabytes(removed)} MB")
    known, now = entries(), time.time()
    columns = (
        Column("cache"),
        Column("entries", right=True),
        Column("MB", right=True),
        Column("last used, days ago", right=True, rank=1),
        Column("longest unused, days", right=True, rank=2),
    )
    rows = []
    for kind, title in KINDS.items():
        own = [entry for entry in known if entry.kind == kind]
        if own:
            ages = [f"{(now - entry.used_s) / DAY_S:.1f}" for entry in (own[-1], own[0])]
            rows.append((title, f"{len(own):,}", _megabytes(own), *ages))
    rows.append(("total", f"{len(known):,}", _megabytes(known), "", ""))
    console = output_console()
    console.print(fitted_table(console.width, columns, rows, sections=(len(rows) - 2,)))
    console.print(f"in {cache_root()}", highlight=False, soft_wrap=True)


def _megabytes(some: Iterable[Entry]) -> str:
    return f"{sum(entry.size_bytes for entry in some) / MEGABYTE:,.1f}"
