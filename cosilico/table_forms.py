"""Forms of a table in a file, written part by part: CSV and Parquet."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cosilico.extras import require_module
from sim.spec.errors import CosilicoError
from sim.spec.files import file_to_replace

__all__ = ["JOINED_ROWS", "TABLE_FORMS", "TableForm", "form_of"]

JOINED_ROWS = 100_000
"""Rows that are joined at once, in Parquet a row group."""

Columns = Mapping[str, list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableForm:
    """A form of a table, all of whose parts have the same columns.

    Parameters
    ----------
    suffix : str
        End of a file's name.
    encode : callable
        Part with those columns to bytes.
    join : callable
        Write a file of all parts, given by their files in order, to a stream; no more than some parts are in
        memory at once.
    """

    suffix: str
    encode: Callable[[Columns], bytes]
    join: Callable[[Sequence[Path], BinaryIO], None]


def form_of(out: Path, wanted_by: str) -> TableForm:
    """Form that a file's name asks for; a device has none and gets CSV.

    Raises
    ------
    CosilicoError
        If there is none of that name, or its package is not installed.
    """
    device = file_to_replace(out) is None
    suffix = TABLE_FORMS[0].suffix if device else out.suffix
    for form in TABLE_FORMS:
        if form.suffix == suffix:
            break
    else:
        endings = " or ".join(form.suffix for form in TABLE_FORMS)
        raise CosilicoError(f"--out must end in {endings}, not {str(out)!r}")
    if suffix == ".parquet":
        require_module(f"{wanted_by} to a .parquet file", "pyarrow")
    return form


def _encode_csv(columns: Columns) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def _join_csv(parts: Sequence[Path], stream: BinaryIO) -> None:
    for number, part in enumerate(parts):
        head, _, rows = part.read_bytes().partition(b"\n")
        if number == 0:
            stream.write(head + b"\n")
        stream.write(rows)


def _encode_parquet(columns: Columns) -> bytes:
    import pyarrow
    from pyarrow import parquet

    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue()


def _join_parquet(parts: Sequence[Path], stream: BinaryIO) -> None:
    import pyarrow
    from pyarrow import parquet

    schema = parquet.read_schema(parts[0])
    with parquet.ParquetWriter(stream, schema) as writer:
        held: list[Any] = []
        for number, part in enumerate(parts, 1):
            held.append(parquet.read_table(part))
            if number == len(parts) or sum(table.num_rows for table in held) >= JOINED_ROWS:
                writer.write_table(pyarrow.concat_tables(held))
                held.clear()


TABLE_FORMS = (
    TableForm(suffix=".csv", encode=_encode_csv, join=_join_csv),
    TableForm(suffix=".parquet", encode=_encode_parquet, join=_join_parquet),
)
"""All forms; the first is that of devices."""
