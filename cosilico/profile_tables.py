"""Profiles on the terminal: where cycles are lost, and what the memories are used for."""

from rich.console import Console
from rich.table import Table

from cosilico.console import Column, fitted_table
from cosilico.profile import CAUSES, Profile

__all__ = ["loss_table", "memory_table", "print_profile"]


def print_profile(console: Console, profile: Profile, *, title: str = "") -> None:
    """Print the layers that lose the most cycles, then the memories."""
    console.print(loss_table(profile, console.width, title))
    console.print(memory_table(profile, console.width))


def loss_table(profile: Profile, width: int, title: str = "") -> Table:
    """Layers that lose the most cycles, and to what."""
    columns = (
        Column("loses most"),
        Column("cycles", right=True, rank=1),
        Column("lost", right=True),
        Column("of run", right=True, rank=2),
        Column("mostly to"),
    )
    rows = []
    for layer in profile.worst():
        share = layer.losses[layer.cause] / layer.lost_cycles if layer.lost_cycles else 0.0
        rows.append(
            (
                layer.name,
                f"{layer.cycles:,}",
                f"{layer.lost_cycles:,.0f}",
                f"{100 * layer.lost_cycles / profile.total_cycles:.1f} %",
                f"{CAUSES[layer.cause]} ({100 * share:.0f} %)",
            )
        )
    return fitted_table(width, columns, rows, title=title or None)


def memory_table(profile: Profile, width: int) -> Table:
    """Bytes of each memory, and of them used; of external memory, moved."""
    columns = (
        Column("memory"),
        Column("bytes", right=True, rank=1),
        Column("used", right=True),
        Column("share", right=True, rank=2),
        Column("for", rank=3),
    )
    rows = [
        (
            use.memory,
            "" if use.size_bytes is None else f"{use.size_bytes:,}",
            f"{use.used_bytes:,}",
            "" if use.share is None else f"{100 * use.share:.1f} %",
            use.purpose,
        )
        for use in profile.memories()
    ]
    return fitted_table(width, columns, rows, sections=(2,))
