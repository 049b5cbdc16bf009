"""Write the pages: ``python -m cosilico.pages`` in the project's root."""

from pathlib import Path

from cosilico.pages.generated import write_pages

if __name__ == "__main__":
    write_pages(Path())
