"""Tables of the page: as people read them, and as CSV with the figures as the records have them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

__all__ = ["DataColumn", "DataTable"]


@dataclass(frozen=True, slots=True)
class DataColumn:
    """A column of a table.

    Parameters
    ----------
    key : str
        Name in the CSV, with its unit.
    title : str
        Name in the page.
    form : str
        Format of its numbers, as "{:,}"; empty for text.
    scale : float
        Factor from the record's unit to the page's; the CSV has the record's.
    """

    key: str
    title: str
    form: str = ""
    scale: float = 1

    def shown(self, value: Any) -> str:
        """Return a value as the page shows it."""
        if value is None or value == "":
            return ""
        if not self.form or isinstance(value, str):
            return str(value)
        return self.form.format(value * self.scale if self.scale != 1 else value)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTable:
    """A table.

    Parameters
    ----------
    name : str
        Unique in the page; also the name of its CSV.
    caption : str
    columns : sequence of DataColumn
        The first names the rows.
    rows : sequence of sequence
        Values as the records have them; None for none.
    total : sequence or None
        A last row that stays last when the others are sorted.
    sortable : bool
    """

    name: str
    caption: str
    columns: Sequence[DataColumn]
    rows: Sequence[Sequence[Any]]
    total: Sequence[Any] | None = None
    sortable: bool = True

    def cells(self) -> list[list[tuple[DataColumn, Any, str]]]:
        """Return the rows as (column, value, text)."""
        return [self._cells(row) for row in self.rows]

    def total_cells(self) -> list[tuple[DataColumn, Any, str]]:
        """Return the last row as (column, value, text); empty where there is none."""
        return [] if self.total is None else self._cells(self.total)

    def _cells(self, row: Sequence[Any]) -> list[tuple[DataColumn, Any, str]]:
        pairs = zip(self.columns, row, strict=True)
        return [(column, value, column.shown(value)) for column, value in pairs]

    def csv(self) -> str:
        """Return the table as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.key for column in self.columns])
        rows = [*self.rows, *([] if self.total is None else [self.total])]
        writer.writerows([["" if v is None else v for v in row] for row in rows])
        return text.getvalue()

    @property
    def csv_uri(self) -> str:
        """The CSV as a link that needs no other file."""
        return "data:text/csv;charset=utf-8," + quote(self.csv(), safe=",.:;/-+()*=_ ")
