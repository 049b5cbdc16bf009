"""The task of a user's own arrays: an npz file."""

from search.tasks.file_settings import NpzSettings
from search.tasks.pictures import Pictures, drawn_split, drawn_task
from search.tasks.settings import DATA_LIMIT_BYTES
from search.tasks.task import Task
from sim.spec.errors import DesignFileError
from sim.spec.npz import read_arrays

__all__ = ["npz"]


def npz(size: tuple[int, int] | None, settings: NpzSettings) -> Task:
    """Arrays ``x`` and ``y`` of a file; the test part is drawn where there is no ``x_test``.

    Raises
    ------
    DesignFileError
        If the file or an array in it is not as it must be.
    """
    what = f"data file {settings.place}"
    arrays = read_arrays(settings.place, "data file", limit_bytes=DATA_LIMIT_BYTES)
    for name in arrays:
        if name not in ("x", "y", "x_test", "y_test"):
            raise DesignFileError(f"arrays of {what} must be x, y, x_test and y_test, not {name!r}")

    def part(x: str, y: str) -> Pictures:
        for name in (x, y):
            if name not in arrays:
                raise DesignFileError(f"{what} must have an array {name!r}")
        return Pictures.of(arrays[x], arrays[y], what, names=(x, y))

    pictures = part("x", "y")
    if "x_test" in arrays or "y_test" in arrays:
        return drawn_task(settings, pictures, part("x_test", "y_test"), what)
    test, rest = drawn_split(len(pictures), (settings.test_share,), settings.split_seed)
    return drawn_task(settings, pictures[rest], pictures[test], what)
