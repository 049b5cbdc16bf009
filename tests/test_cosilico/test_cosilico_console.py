"""Tables at any width: columns are left out or text is broken, numbers stay whole."""

from collections.abc import Sequence

import pytest
from rich.console import Console

from cosilico.console import Column, fitted_table, output_console

COLUMNS = (
    Column("layer"),
    Column("kind", rank=2),
    Column("MACs of all", right=True, rank=1),
    Column("predicted", right=True),
    Column("measured", right=True),
)
ROWS = [
    ("block1_depthwise_of_a_long_name", "depthwise", "123,456,789", "1,234,567", "1,234,567"),
    ("add", "add", "", "7", "89"),
]


def printed(width: int, rows: Sequence[Sequence[str]] = ROWS, *, tight: bool = False) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(fitted_table(width, COLUMNS, rows, tight=tight))
    return capture.get().splitlines()


@pytest.mark.parametrize("tight", [False, True])
@pytest.mark.parametrize("width", range(45, 121, 5))
def test_no_digit_is_lost_at_any_width(width: int, tight: bool) -> None:
    lines = printed(width, tight=tight)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert text.count("1,234,567") == 2
    assert ("123,456,789" in text) == ("MACs" in text)
    assert "…" not in text
    compact = "".join(lines).replace(" ", "").replace("│", "")
    assert "measured" in compact


def test_columns_go_as_they_rank() -> None:
    def titles(width: int) -> list[str]:
        text = " ".join(printed(width))
        return [c.title for c in COLUMNS if c.title.split()[0] in text]

    shown = [tuple(titles(width)) for width in range(120, 44, -1)]
    assert list(dict.fromkeys(shown)) == [
        ("layer", "kind", "MACs of all", "predicted", "measured"),
        ("layer", "MACs of all", "predicted", "measured"),
        ("layer", "predicted", "measured"),
    ]


def test_text_is_broken_before_a_column_goes() -> None:
    whole = max(map(len, printed(200)))
    lines = printed(whole - 10)
    assert "MACs" in " ".join(lines)
    assert len(lines) > len(printed(200))


def test_a_table_without_rows_has_its_titles() -> None:
    assert any("predicted" in line for line in printed(80, []))


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console = output_console()
    for name in ("[/x]y", "[bold]y", "a[link=http://a.b]c[/link]", ":smile:"):
        console.print(fitted_table(80, COLUMNS, [(name, *ROWS[1][1:])], title=name))
        console.print(name)
        lines = capsys.readouterr().out.splitlines()
        assert [line.strip() for line in (lines[0], lines[-1])] == [name, name]
        assert any(line.startswith(f"│ {name} ") for line in lines)
