"""Arguments, tasks, spreads and results files that the experiments on the claims of papers share."""

import argparse
import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from claim_digests import digests
from cosilico.cache import digest, document_digest, source_digest
from cosilico.progress import progress_bar
from cosilico.tasks import run_all
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from testbench.validation.journal import Journal

__all__ = [
    "Claim",
    "Record",
    "Settings",
    "begin",
    "require_counts",
    "run_tasks",
    "settings_of",
    "spread",
    "write_claims",
]

Record = Mapping[str, Any]
"""Record of a task in a journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim of a paper, and what became of it here.

    Parameters
    ----------
    claim : str
        In the paper's figures.
    theirs, ours : str
        Setting.
    figure : str
        What was measured here, with its spread.
    rule : str
        When it counts as reproduced.
    reproduced : "yes", "no", "in part", "not tested" or "not measured"
        As the code of the rule says.
    """

    claim: str
    theirs: str
    ours: str
    figure: str
    rule: str
    reproduced: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Arguments of an experiment.

    Parameters
    ----------
    joint : Path
        Folder of a joint enumeration.
    work, out : Path
        Folder of what is kept between runs; file of the results.
    script : Path
        File of the experiment.
    seeds, budget, jobs : int
    scheduler : str or None
        Address of a Dask scheduler, in the place of processes.
    smoke : bool
        Whether all is made so small that it takes seconds.
    """

    joint: Path
    work: Path
    out: Path
    script: Path
    seeds: int
    budget: int
    jobs: int
    scheduler: str | None
    smoke: bool

    @property
    def tables(self) -> Path:
        """Folder of enumerated spaces, of the present model; all experiments share it."""
        return self.work.parent / "tables" / source_digest("sim")[:16]

    @property
    def documented(self) -> dict[str, Any]:
        """Settings that decide the figures, for the results file."""
        return {"seeds": self.seeds, "budget": self.budget, "smoke": self.smoke}

    @property
    def digests(self) -> dict[str, str]:
        """Digests of all that the figures follow from."""
        return digests(self.script)


def settings_of(doc: str | None, file: str, words: Sequence[str] | None = None) -> Settings:
    """Parse the arguments that every experiment has.

    Parameters
    ----------
    doc : str or None
        Docstring of the experiment; its first line is the help.
    file : str
        Path of the experiment, whose results lie beside it.
    words : sequence of str, optional
        Those of the command line if not given.
    """
    name = Path(file).stem
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--joint", type=Path, default=Path("build/evidence/joint"))
    parser.add_argument("--work", type=Path, default=Path("build/evidence") / name)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--budget", type=int)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scheduler")
    parser.add_argument("--smoke", action="store_true", help="seconds, and no figure that counts")
    given = parser.parse_args(words)
    try:
        require_counts(seeds=given.seeds, budget=given.budget, jobs=given.jobs)
    except CosilicoError as error:
        parser.exit(2, f"{name}: {error}\n")
    made = given.work / f"{name}.json" if given.smoke else Path(file).with_suffix(".json")
    given.work.mkdir(parents=True, exist_ok=True)
    return Settings(
        joint=given.joint,
        work=given.work,
        out=given.out or made,
        script=Path(file),
        seeds=given.seeds or (2 if given.smoke else 10),
        budget=given.budget or (40 if given.smoke else 1000),
        jobs=given.jobs,
        scheduler=given.scheduler or None,
        smoke=given.smoke,
    )


def begin(doc: str | None, file: str, measure: Callable[[Settings], Any]) -> None:
    """Run an experiment with the arguments of the command line; a wrong input ends it with one line."""
    settings = settings_of(doc, file)
    try:
        measure(settings)
    except CosilicoError as error:
        raise SystemExit(_refused(settings, error)) from None


def _refused(settings: Settings, error: CosilicoError) -> int:
    print(f"{settings.script.stem}: {error}", flush=True)
    return 2


def require_counts(**counts: int | None) -> None:
    """Raise unless each argument that is given is at least 1.

    Raises
    ------
    CosilicoError
    """
    for name, value in counts.items():
        if value is not None and value < 1:
            raise CosilicoError(f"--{name} must be an integer from 1 on, not {value}")


def run_tasks(
    settings: Settings,
    step: str,
    identity: Mapping[str, Any],
    tasks: Mapping[str, tuple[Any, ...]],
    run: Callable[..., Record],
    prepare: Callable[..., None],
    arguments: tuple[Any, ...],
) -> dict[str, Record]:
    """Run tasks in processes or on a cluster; a run that was ended goes on with the same command.

    Parameters
    ----------
    settings : Settings
    step : str
        What the tasks are, in the plural.
    identity : mapping
        All that the records depend on beside the sources of ``search`` and ``sim`` and of ``run``; records of any other have
        a journal of their own.
    tasks, run, prepare, arguments
        See :func:`cosilico.tasks.run_all`.

    Returns
    -------
    dict
        Record of each task.
    """
    header = {
        "step": step,
        "sources": source_digest("search", "sim"),
        "run": digest(inspect.getsource(run)),
        "identity": dict(identity),
    }
    file = f"{step.replace(' ', '-')}-{document_digest(header)[:16]}.jsonl"
    journal = Journal(settings.work / file, header)
    with progress_bar() as report:
        run_all(
            tasks,
            run,
            journal,
            settings.jobs,
            report,
            step=step,
            scheduler=settings.scheduler,
            prepare=prepare,
            arguments=arguments,
        )
    return {key: journal.records[key] for key in tasks}


def spread(values: Sequence[float]) -> dict[str, float | int]:
    """Median, least and most of some figures, and their number."""
    known = np.array(values, np.float64)
    return {
        "median": float(np.median(known)),
        "least": float(known.min()),
        "most": float(known.max()),
        "count": len(known),
    }


def write_claims(settings: Settings, claims: Sequence[Claim], figures: Mapping[str, Any]) -> None:
    """Write what was measured, what it follows from, and the claims in words."""
    results = {
        "settings": settings.documented,
        "digests": settings.digests,
        "claims": [asdict(claim) for claim in claims],
        "figures": figures,
    }
    write_atomic(settings.out, json.dumps(results, indent=1) + "\n")
    for claim in claims:
        print(f"{claim.claim}: {claim.figure} ({claim.reproduced})", flush=True)
