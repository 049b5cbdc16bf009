"""Delays of an accelerator's modules, by the names that all accelerators share."""

from collections.abc import Sequence

from hwgen.module_names import PREFIX, module_kind
from hwgen.synthesis.report import TimingReport
from hwgen.synthesis.sources import ModuleSource

__all__ = ["module_delays", "sources_below"]

_TOP = "top"


def module_delays(report: TimingReport) -> dict[str, float]:
    """Slowest whole path, in ns, of every module in a report, by its name without prefix and size.

    Paths between modules are those of the module around all, ``top``, if it is in the report.
    """
    delays: dict[str, float] = {}
    for row in report.rows:
        name = module_kind(row.module)
        if row.within or name == _TOP:
            delays[name] = max(delays.get(name, 0.0), row.path.delay_ns)
    return dict(sorted(delays.items()))


def sources_below(sources: Sequence[ModuleSource], name: str) -> list[ModuleSource]:
    """Sources of a module, by its name without the prefix, and of all below it, in their order."""
    needed = {PREFIX + name}
    kept = []
    for source in reversed(sources):
        if source.name in needed:
            needed.update(source.children)
            kept.append(source)
    return kept[::-1]
