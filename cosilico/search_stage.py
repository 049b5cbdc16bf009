"""The first stage of a run, which is also the command ``cosilico search`` and the API's search."""

from pathlib import Path
from typing import Any

from cosilico.cache import StageCache, document_digest
from cosilico.gateware import current_calibration
from cosilico.progress import Report, progress_bar, within
from cosilico.run_folder import SEARCHED_FILES, STAGES, open_run
from cosilico.subjects import ExperimentSubject, Subject

__all__ = ["search_stage", "search_to_folder"]


def search_stage(
    subject: Subject, out: Path, cache: StageCache, report: Report, *, resume: bool
) -> dict[str, Any]:
    """Search unless that is done; return the figures of ``search.json``."""

    def search() -> dict[str, Any]:
        document = subject.search(out, resume=resume, progress=report)
        return {name: value for name, value in document.items() if name not in ("log", "pareto")}

    paths = tuple(out / name for name in SEARCHED_FILES)
    return cache.result("search", document_digest(subject.identity()), search, paths)


def search_to_folder(
    experiment_path: Path, out: Path, *, resume: bool = False, force: bool = False, seed: int
) -> str:
    """Run only the search; return a line on its result.

    A run in the same folder, with ``resume``, goes on from there, as this does where
    :func:`cosilico.search` left something.

    Raises
    ------
    CosilicoError
        As of :func:`cosilico.flow.run_flow`.
    """
    subject = ExperimentSubject(experiment_path, seed)
    current_calibration()
    opened = open_run(out, subject.identity(), subject.files, resume=resume, force=force)
    with opened, progress_bar() as bar:
        cache, report = StageCache(out / STAGES), within("search", bar)
        searched = search_stage(subject, out, cache, report, resume=resume)
    best = searched["best"]
    return (
        f"{best['predicted_cycles']:,} predicted cycles ({searched['default']['predicted_cycles']:,} "
        f"on the default), int8 accuracy {best['int8_accuracy']:.4f}"
    )
