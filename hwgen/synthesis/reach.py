"""Delays of an accelerator's modules, by the names that all accelerators share."""

import dataclasses
import re

from hwgen.emit import Emission
from hwgen.module_names import ModuleNames
from hwgen.synthesis.report import TimingReport

__all__ = ["module_below", "module_delays"]

_SIZE = re.compile(r"_\d+x\d+$")
"""Size in the name of a FIFO."""


def module_delays(report: TimingReport, names: ModuleNames) -> dict[str, float]:
    """Slowest whole path, in ns, of every module in a report, by its name without prefix, suffix and size."""
    delays: dict[str, float] = {}
    for row in report.rows:
        if row.within or row.module == names.top:
            own = row.module.removeprefix(names.prefix).removesuffix(names.suffix)
            kind = _SIZE.sub("", own)
            delays[kind] = max(delays.get(kind, 0.0), row.path.delay_ns)
    return dict(sorted(delays.items()))


def module_below(emission: Emission, name: str) -> Emission:
    """Part of an accelerator: a module, by its whole name, and what is below it."""
    parts = {part.name: part for part in emission.modules}
    needed: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module not in needed:
            needed.add(module)
            waiting += [i.module for i in parts[module].instances if i.module in parts]
    modules = tuple(part for part in emission.modules if part.name in needed)
    return dataclasses.replace(emission, top=name, modules=modules)
