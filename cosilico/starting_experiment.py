"""The experiment that ``cosilico init`` writes."""

import json
from pathlib import Path

from search.experiment_schema import experiment_schema
from search.experiment_template import SCHEMA_FILE, experiment_template
from search.tasks import TASKS
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from sim.spec.rules import Identifier

__all__ = ["write_experiment"]


def write_experiment(
    path: Path, task: str, *, schema: bool = False, force: bool = False
) -> list[Path]:
    """Write a commented experiment of a task, and the JSON Schema beside it; return both paths.

    The file's name, without its end, names the experiment.

    Raises
    ------
    CosilicoError
        If there is no such task, the name is none for an experiment, or a file is there already
        and ``force`` is not given.
    """
    if task not in TASKS:
        raise CosilicoError(f"--task must be one of {', '.join(TASKS)}, not {task!r}")
    rule = Identifier()
    if path.suffix != ".toml" or not rule.accepts(path.stem):
        raise CosilicoError(f"FILE must be NAME.toml, NAME {rule}, not {str(path)!r}")
    texts = {path: experiment_template(task, path.stem, schema=schema)}
    if schema:
        content = json.dumps(experiment_schema(), indent=1, ensure_ascii=False) + "\n"
        texts[path.parent / SCHEMA_FILE] = content
    for file in texts:
        if file.exists() and not force:
            raise CosilicoError(f"{file} must be absent; --force replaces it")
    path.parent.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        write_atomic(file, text)
    return list(texts)
