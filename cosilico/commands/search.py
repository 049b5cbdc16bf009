"""The ``search`` command: a network and its accelerator."""

import typer

from cosilico.commands.options import ExperimentFile, Force, OutFolder, Resume, SearchSeed
from cosilico.extras import require_extra

__all__ = ["search"]


def search(
    experiment: ExperimentFile,
    out: OutFolder,
    resume: Resume = False,
    force: Force = False,
    seed: SearchSeed = 0,
) -> None:
    """Search for a network and its accelerator; writes design.json and weights.npz."""
    require_extra("cosilico search", "search")
    from cosilico.search_stage import search_to_folder

    line = search_to_folder(experiment, out, resume=resume, force=force, seed=seed)
    typer.echo(f"{out / 'design.json'}: {line}")
