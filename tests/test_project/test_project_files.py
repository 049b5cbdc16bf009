"""The project's own files: targets, links, import rules."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from project_root import ROOT
from sim.spec.stops import Port, StopCause

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
SOURCES = (
    "benchmarks",
    "cosilico",
    "docs",
    "examples",
    "hwgen",
    "search",
    "sim",
    "testbench",
    "tests",
)
TARGETS = [
    "install",
    "format",
    "lint",
    "test",
    "check",
    "docs",
    "demo",
    "soc",
    "bitstream",
    "validate",
    "lowest",
    "calibrate",
    "supported",
    "pages",
    "bench",
    "evidence",
    "coverage",
    "mutants",
    "clean",
]


def test_make_lists_its_targets() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    listed = [line.split()[0] for line in done.stdout.splitlines()]
    assert listed == ["help", *TARGETS]


def test_ci_runs_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "exec make test" in script.read_text()


def anchors(page: Path) -> set[str]:
    """Return what links to the headings of a page end in, as MyST and GitHub make it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#{1,4} (.*)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    kept = ("".join(c for c in heading if c.isalnum() or c in " -_") for heading in plain)
    return {heading.strip().replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text()):
        if "://" in target:
            continue
        other = page.parent / target if target else page
        assert other.exists(), target
        if anchor and other.suffix == ".md":
            assert anchor in anchors(other), f"{target}#{anchor}"


def test_every_finding_that_is_ignored_has_its_reason() -> None:
    """A reason stands behind it in the line, in a comment of its own."""
    paths = [path for folder in SOURCES for path in ROOT.glob(f"{folder}/**/*.py")]
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"#\s*(type: ignore|noqa)\b(?!\[[a-z, -]+\]  # \S|: [A-Z0-9, ]+  # \S)", line)
    ]
    assert not bare


def test_decisions_have_all_sections() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("0*.md"))
    assert pages
    for number, page in enumerate(pages, start=1):
        text = page.read_text()
        assert text.startswith(f"# {number}. ")
        assert "**Status.**" in text
        for section in ("Context", "Decision", "Consequences", "Alternatives"):
            assert f"\n## {section}\n" in text, page.name


def test_calibration_page_names_every_constant() -> None:
    from sim.timing.calibration import Constant

    page = (ROOT / "docs" / "reference" / "timing_constants.md").read_text()
    for constant in Constant:
        assert f"`{constant.name.lower()}`" in page


def test_hardware_page_has_every_cause() -> None:
    page = (ROOT / "docs" / "explanation" / "hardware.md").read_text()
    causes = table_rows(page, "| cause | number | port | ERROR_ADDRESS |")
    assert [(row[0].split(":")[0], int(row[1])) for row in causes] == [
        (cause.name, cause) for cause in StopCause if cause
    ]
    ports = ", ".join(f"{port.value} {port.name.lower()}" for port in Port if port)
    assert f"Ports are {ports}." in page


def table_rows(page: str, header: str) -> list[list[str]]:
    """Cells of the table below a header line."""
    lines = page.splitlines()
    start = lines.index(header) + 2
    end = next(i for i in range(start, len(lines)) if not lines[i].startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:end]]


def test_make_calibrate_fits_all_drams_that_are_shipped() -> None:
    from sim.spec.dram import DRAM_PRESETS
    from sim.timing import calibration

    line = re.search(r"^DRAMS := \$\(foreach dram,([^,]*),", (ROOT / "Makefile").read_text(), re.M)
    assert line
    names = [name for dram in line[1].split() for name in (dram, f"{dram}/fr-fcfs")]
    assert names == list(DRAM_PRESETS) == list(calibration.default().drams)
    for name, system in DRAM_PRESETS.items():
        assert calibration.default().drams[name].digest == system.digest
        assert (
            f"`{name.removesuffix('/fr-fcfs')}`"
            in (ROOT / "docs" / "reference" / "dram.md").read_text()
        )


def test_stages_import_in_one_direction() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [linter, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


def test_no_file_of_tests_runs_the_model_when_it_is_imported(
    model_ran_at_collection: bool,
) -> None:
    """Every worker would compile all its kernels, and only then begin."""
    assert not model_ran_at_collection
