"""Reports of the watchdog about a stopped program."""

from sim.spec.descriptor import Queue
from testbench.rtl.watchdog import explain_hang, watchdog_cycles

LOAD, EXECUTE, STORE = Queue


def descriptor(queue: Queue, *, wait: int = 0, post: int = 0) -> dict[str, int]:
    """Return a descriptor with the fields that the report names."""
    return {"queue": queue, "wait": wait, "post": post}


CHAIN = [
    descriptor(LOAD, post=1 << EXECUTE),
    descriptor(EXECUTE, wait=1 << LOAD, post=1 << STORE),
    descriptor(STORE, wait=1 << EXECUTE),
]


def counts(load: int, execute: int, store: int) -> dict[Queue, int]:
    """Return one count per queue."""
    return {LOAD: load, EXECUTE: execute, STORE: store}


def test_names_what_runs_and_who_lacks_its_token() -> None:
    """The LOAD hangs; the others wait for it, directly and behind each other."""
    assert explain_hang(CHAIN, counts(1, 0, 0), counts(0, 0, 0)) == (
        "LOAD descriptor 0 of 1 started and did not end; "
        "EXECUTE descriptor 0 of 1 lacks a token of LOAD; "
        "STORE descriptor 0 of 1 lacks a token of EXECUTE"
    )


def test_finished_queues_are_not_mentioned() -> None:
    """Only STORE is left, and nothing is missing."""
    assert explain_hang(CHAIN, counts(1, 1, 0), counts(1, 1, 0)) == (
        "STORE descriptor 0 of 1 has its tokens and is not accepted"
    )


def test_a_token_is_taken_once() -> None:
    """The second EXECUTE waits for a second LOAD token that nobody gives."""
    program = [*CHAIN[:2], descriptor(EXECUTE, wait=1 << LOAD)]
    assert explain_hang(program, counts(1, 1, 0), counts(1, 1, 0)) == (
        "EXECUTE descriptor 1 of 2 lacks a token of LOAD"
    )


def test_all_done_and_no_end() -> None:
    """The fault is beyond the queues."""
    done = counts(1, 1, 1)
    assert explain_hang(CHAIN, done, done) == (
        "all descriptors are done, but the program does not end"
    )


def test_patience_covers_the_longest_execute() -> None:
    """N windows of II cycles are silent, and the first of every row takes longer."""
    execute = {
        "queue": EXECUTE,
        "window_rows": 10,
        "window_columns": 20,
        "initiation_interval": 5000,
        "row_lead": 40,
    }
    assert watchdog_cycles([execute]) > 10 * (20 * 5000 + 40)
