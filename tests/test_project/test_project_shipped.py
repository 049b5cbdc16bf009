"""The packages ship what a command, the public interface or a page leads to, and nothing for tests alone."""

import ast
import re
from collections.abc import Iterator

from project_root import ROOT

STAGES = ("cosilico", "hwgen", "search", "sim", "testbench")
DOORS = {
    "hwgen.synthesis.cacti": "docs/explanation/cost.md",
    "search.child_accuracy": "docs/reference/joint.md",
    "testbench.cocotb_cases.protocol": "docs/explanation/protocol.md",
    "testbench.coverage.register_cases": "docs/reference/testbench.md",
    "testbench.coverage.registers": "docs/reference/testbench.md",
    "testbench.coverage.sample": "docs/reference/testbench.md",
    "testbench.coverage.summary": "docs/reference/testbench.md",
    "testbench.judges.dram_requests": "docs/reference/dram.md",
    "testbench.judges.dramsim3": "docs/reference/dram.md",
    "testbench.standalone.cocotb_runner": "docs/reference/testbench.md",
    "testbench.standalone.cocotb_tests": "docs/reference/testbench.md",
    "testbench.traces.foreign_systems": "docs/explanation/calibration.md",
    "testbench.validation.engines": "docs/reference/cocotb.md",
}
"""Modules that users start in another way than by :mod:`cosilico`, and the files that say how."""

REGISTERED = re.compile(r"\w+(?:\.\w+)+:\w+")
"""``"module:name"``, by which a registry imports an implementation when it is first made."""


def module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


MODULES = {
    module_name(str(path.relative_to(ROOT))): path
    for stage in STAGES
    for path in sorted((ROOT / stage).rglob("*.py"))
}


def imported(name: str) -> Iterator[str]:
    """Modules of the project that a module imports or registers, anywhere, with their packages."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        targets = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            package = name.split(".")[: -node.level] if node.level else []
            module = ".".join([*package, node.module])
            targets = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and REGISTERED.fullmatch(str(node.value)):
            targets = [str(node.value).partition(":")[0]]
        for target in targets:
            parts = target.split(".")
            packages = (".".join(parts[: length + 1]) for length in range(len(parts)))
            yield from (package for package in packages if package in MODULES)


def reached() -> set[str]:
    """Modules that are imported, directly or not, from :mod:`cosilico` or another door."""
    seen: set[str] = set()
    waiting = [name for name in MODULES if name.partition(".")[0] == "cosilico"] + list(DOORS)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += imported(name)
    return seen


def test_no_module_is_for_tests_alone() -> None:
    assert len(MODULES) > 200
    assert sorted(MODULES.keys() - reached()) == []


def test_other_doors_are_shown_where_it_is_said() -> None:
    for module, page in DOORS.items():
        package, _, name = module.rpartition(".")
        text = (ROOT / page).read_text(encoding="utf-8")
        words = (package.replace(".", "/"), f"from {package} import {name}")
        assert any(word in text for word in words), module
