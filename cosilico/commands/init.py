"""The ``init`` command: a commented experiment to start from."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["init"]


def task_names(incomplete: str) -> list[str]:
    """Complete the name of a task, for the shell."""
    from search.tasks import TASKS

    return [name for name in TASKS if name.startswith(incomplete)]


def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="experiment to write")] = Path(
        "experiment.toml"
    ),
    task: Annotated[
        str, typer.Option("--task", help="data to learn from", autocompletion=task_names)
    ] = "digits",
    schema: Annotated[
        bool, typer.Option("--schema", help="write the JSON Schema for editors beside it")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="replace the files")] = False,
) -> None:
    """Write a commented experiment, with the default of every field."""
    from cosilico.starting_experiment import write_experiment

    for path in write_experiment(file, task, schema=schema, force=force):
        typer.echo(str(path))
