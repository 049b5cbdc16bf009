"""Tables of results: plain columns and rows, and frames where pandas is installed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sim.spec.errors import CosilicoError

__all__ = ["Table"]


class Table:
    """Named columns of equal length, of numbers, texts and booleans.

    Parameters
    ----------
    name : str
        What the rows are, in the plural.
    columns : mapping of str to sequence
        Values of every column, in the order of the rows.
    """

    __slots__ = ("_columns", "name")

    def __init__(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        self.name = name
        self._columns = {column: list(values) for column, values in columns.items()}
        lengths = {column: len(values) for column, values in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of {name} must be equally long, not {lengths!r}")

    @classmethod
    def of_rows(cls, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> "Table":
        """Build a table from rows, each with a value for every column."""
        return cls(name, {column: [row[i] for row in rows] for i, column in enumerate(columns)})

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self._columns.values()), []))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the rows."""
        return iter(self.rows())

    def __getitem__(self, column: str) -> list[Any]:
        """Return the values of a column.

        Raises
        ------
        KeyError
            If there is no column of that name; the message lists those that there are.
        """
        if column not in self._columns:
            raise KeyError(f"column must be one of {', '.join(self._columns)}, not {column!r}")
        return list(self._columns[column])

    def __repr__(self) -> str:
        """Return a line with the number of rows and the names of the columns."""
        return f"Table({len(self):,} {self.name}: {', '.join(self._columns)})"

    def columns(self) -> dict[str, list[Any]]:
        """Return the values of every column by its name."""
        return {column: list(values) for column, values in self._columns.items()}

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows, each a dictionary from the column's name to its value."""
        names = list(self._columns)
        return [
            dict(zip(names, values, strict=True))
            for values in zip(*self._columns.values(), strict=True)
        ]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the rows as JSON objects."""
        return self.rows()

    def to_frame(self) -> Any:
        """Return the table as a ``pandas.DataFrame``.

        Raises
        ------
        CosilicoError
            If pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise CosilicoError(
                "to_frame must have package pandas, which is not installed: pip install pandas"
            ) from None
        return pandas.DataFrame(self.columns())
