"""Progress where stderr is no terminal: a line at once and one every ten seconds."""

import pytest

from cosilico.progress import progress_bar, within


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("cosilico.progress.time.monotonic", lambda: now[0])
    return now


def test_shows_done_expected_and_rate(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    with progress_bar() as report:
        for second in range(26):
            clock[0] = 100.0 + second
            report("cycles in RTL", 1000 * second, 50_000)
    assert capsys.readouterr().err.splitlines() == [
        "cycles in RTL",
        "cycles in RTL 10,000/50,000 1,000/s",
        "cycles in RTL 20,000/50,000 1,000/s",
    ]


def test_slow_rates_have_decimals(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    with progress_bar() as report:
        report("pairs", 0, 9)
        clock[0] += 20
        report("pairs", 5, 9)
    assert capsys.readouterr().err.splitlines()[-1] == "pairs 5/9 0.25/s"


def test_names_are_put_before_steps(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as report:
        within("searched hardware", report)("building", 0, 1)
    assert capsys.readouterr().err == "searched hardware: building\n"
