"""All pages that are made from tables of the code, by the file that each is written to."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from cosilico.pages.accelerator import ACCELERATOR_PAGE, accelerator_page
from cosilico.pages.commands import COMMANDS_PAGE, commands_page
from cosilico.pages.descriptors import DESCRIPTORS_PAGE, descriptors_page
from cosilico.pages.experiment import EXPERIMENT_PAGE, experiment_page
from cosilico.pages.files import FILES_PAGE, files_page
from cosilico.pages.ports import PORTS_PAGE, ports_page
from cosilico.pages.registers import REGISTERS_PAGE, registers_page
from sim.importers.supported import SUPPORTED_PAGE, supported_operators

__all__ = ["GENERATED_PAGES", "write_pages"]

GENERATED_PAGES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        ACCELERATOR_PAGE: accelerator_page,
        COMMANDS_PAGE: commands_page,
        DESCRIPTORS_PAGE: descriptors_page,
        EXPERIMENT_PAGE: experiment_page,
        FILES_PAGE: files_page,
        PORTS_PAGE: ports_page,
        REGISTERS_PAGE: registers_page,
        SUPPORTED_PAGE: supported_operators,
    }
)
"""Markdown of every page, by its path below the project's root."""


def write_pages(root: Path) -> None:
    """Write every page below the project's root."""
    for path, page in GENERATED_PAGES.items():
        (root / path).write_text(page(), encoding="utf-8")
