"""A joint space whose accuracies this project makes: every network of an experiment's space, trained alone.

Run as ``python benchmarks/trained_space.py [EXPERIMENT --out FILE] [--data DIR] [--work DIR] [--jobs N]``. A supernet is
trained, and every network tested with its weights; every network is trained alone, and some of them with
further seeds. All are quantized to int8 and tested on the test images. The table is what ``cosilico joint`` reads.
What was ended goes on with the same command: the supernet from its last epoch, all else without the networks in training.

The experiment's section ``[train]`` is that of the networks alone; ``search.warmup_epochs`` are the supernet's epochs.
"""

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from claim import require_counts, spread
from cosilico.cache import document_digest, source_digest
from cosilico.joint.trained import FASHION, table_file
from cosilico.progress import Report, progress_bar
from cosilico.tasks import run_all
from search.checkpoint import CheckpointStore
from search.child_accuracy import ChildAccuracy, accuracy_alone, accuracy_with_shared_weights
from search.determinism import deterministic_torch
from search.experiment import Experiment, load_experiment
from search.export import shape_network
from search.loading import load_family, load_task
from search.networks.family import NetworkFamily, SharedNetwork
from search.networks.family_record import family_document
from search.networks.members import members_of
from search.networks.trained_table import SCHEMA
from search.shared_training import SharedTraining
from search.strategies.joint_baseline_settings import JointBaselineSettings
from search.tasks.task import Task
from sim.spec.archives import file_sha256
from sim.spec.documents import read_json
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from testbench.validation.journal import Journal
from trained_space_pages import figures

SEEDS, REPEATED = 3, 12
"""Seeds of the networks that tell the seed's noise, and how many they are."""

SUPERNET_FILE = "supernet.pt"

SUPERNET_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trained:
    """Inputs that all tests of a process share.

    Parameters
    ----------
    experiment : Experiment
    task : Task
    family : NetworkFamily
    members : dict of str to member
    supernet : SharedNetwork
    """

    experiment: Experiment
    task: Task
    family: NetworkFamily
    members: Mapping[str, Any]
    supernet: SharedNetwork


_kept: list[_Trained] = []
"""Those of the process."""


def main(words: Sequence[str] | None = None) -> None:
    """Train what the journal lacks, and write the table."""
    own = Path(__file__).with_suffix(".toml")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("experiment", nargs="?", type=Path, default=own)
    parser.add_argument("--data", help="folder of the data, in the place of the experiment's")
    parser.add_argument("--work", type=Path, default=Path("build/evidence/trained_space"))
    parser.add_argument("--out", type=Path, help="[the table of the space fashion]")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--repeated", type=int, default=REPEATED)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scheduler", help="address of a Dask scheduler")
    parser.add_argument(
        "--force", action="store_true", help="begin anew, and replace another table"
    )
    given = parser.parse_args(words)
    try:
        require_counts(seeds=given.seeds, repeated=given.repeated, jobs=given.jobs)
        if given.out is None:
            if given.experiment.resolve() != own.resolve():
                raise CosilicoError("--out must be given with an EXPERIMENT of one's own")
            given.out = table_file(FASHION)
        make_table(given)
    except CosilicoError as error:
        parser.exit(2, f"trained_space: {error}\n")


def make_table(given: argparse.Namespace) -> None:
    """Train and test for the table that the arguments ask for.

    Raises
    ------
    CosilicoError
        If the experiment is wrong, or the folder or the table is another experiment's.
    """
    experiment = with_data(load_experiment(given.experiment), given.data)
    task = load_task(experiment)
    family = load_family(experiment, task)
    members = {member.key: member for member in members_of(family)}
    given.work.mkdir(parents=True, exist_ok=True)
    identity = identity_of(experiment)
    require_own(given.out, identity, force=given.force)
    journal = journal_of(given.work / "tests.jsonl", identity, force=given.force)
    with progress_bar() as report:
        trained = train_supernet(
            experiment, task, family, given.work, identity, report, renew=given.force
        )
        weights = file_sha256(given.work / SUPERNET_FILE, "supernet")
        repeated = repeated_of(family, members, given.repeated)
        tests = tests_of(members, repeated, given.seeds, weights)
        run_all(
            tests,
            tested,
            journal,
            given.jobs,
            report,
            step="tests",
            scheduler=given.scheduler or None,
            prepare=keep,
            arguments=(experiment, (given.work / SUPERNET_FILE).resolve()),
        )
    records = {key: journal.records[key] for key in tests}
    table = table_of(experiment, task, identity, tests, records, trained)
    write_atomic(given.out, json.dumps(table, indent=1) + "\n")
    print(json.dumps(figures(table), indent=1))


def require_own(path: Path, identity: Mapping[str, Any], *, force: bool) -> None:
    """Raise if a file is no table, or that of another experiment which is not to be replaced.

    Raises
    ------
    CosilicoError
    """
    if not path.exists():
        return
    content = read_json(path, "table of accuracies")
    if not isinstance(content, dict) or "children" not in content:
        raise CosilicoError(f"{path} must be absent or a table of accuracies")
    training = content.get("training") or {}
    same = all(training.get(name) == identity[name] for name in ("experiment", "data"))
    if content["children"] and not same and not force:
        raise CosilicoError(
            f"table {path} must be of the same experiment and data, or --force must be given"
        )


def journal_of(path: Path, identity: Mapping[str, Any], *, force: bool) -> Journal:
    """Journal of the tests, which ``force`` empties even where its work is the same."""
    journal = Journal(path, identity, renew=force)
    if force and journal.records:
        path.unlink()  # while its lock is held
        journal = Journal(path, identity)
    return journal


def with_data(experiment: Experiment, data: str | None) -> Experiment:
    """Experiment with its data in another folder, where that is given.

    Raises
    ------
    CosilicoError
        If its task has no folder, or it cannot make a table.
    """
    if not isinstance(experiment.search, JointBaselineSettings):
        raise CosilicoError(
            "search.strategy must be 'random' or 'evolution', which trains a supernet"
        )
    if experiment.network.entry is not None:
        raise CosilicoError("network.entry must not be given: a table names no code")
    if data is None:
        return experiment
    if "path" not in {entry.name for entry in fields(experiment.task)}:
        raise CosilicoError(
            f"task of the experiment must have a path, not {experiment.task.name!r}"
        )
    place: Any = {"path": str(Path(data).resolve())}
    return replace(experiment, task=replace(experiment.task, **place))


def identity_of(experiment: Experiment) -> dict[str, Any]:
    """Everything that the accuracies depend on, but where the data are."""
    document = {
        name: experiment.to_json()[name] for name in ("name", "task", "network", "search", "train")
    }
    document["task"].pop("path", None)
    return {
        "experiment": document,
        "data": experiment.task.fingerprint(),
        "sources": source_digest("search", "sim"),
        "script": file_sha256(Path(__file__), "script"),
        "supernet_seed": SUPERNET_SEED,
        "torch": torch.__version__,
    }


def train_supernet(
    experiment: Experiment,
    task: Task,
    family: NetworkFamily,
    work: Path,
    identity: Mapping[str, Any],
    report: Report,
    *,
    renew: bool,
) -> dict[str, Any]:
    """Train the shared weights epoch by epoch; return what that took.

    Every step trains a member that is drawn, each as probable as any other.
    """
    settings: Any = experiment.search
    epochs: int = settings.warmup_epochs
    store = CheckpointStore(work / "supernet", document_digest(dict(identity)))
    generator = torch.Generator().manual_seed(SUPERNET_SEED)
    random = np.random.default_rng(SUPERNET_SEED)
    members = list(members_of(family))
    with deterministic_torch():
        training = SharedTraining(
            family, task, batch=experiment.train.batch, generator=generator, seed=SUPERNET_SEED
        )
        done, cpu_s = 0, 0.0
        if renew:
            store.clear()
        saved = store.load()
        if saved is not None:
            with store.restoring():
                state = saved[0]
                training.load_state_dict(state["training"])
                generator.set_state(state["generator"])
                random.bit_generator.state = json.loads(state["random"])
                done, cpu_s = state["done"], state["cpu_s"]
        report("supernet", done, epochs)
        while done < epochs:
            started = time.process_time()
            training.epoch(lambda: members[int(random.integers(len(members)))])
            done, cpu_s = done + 1, cpu_s + time.process_time() - started
            state = {
                "training": training.state_dict(),
                "generator": generator.get_state(),
                "random": json.dumps(random.bit_generator.state),
                "done": done,
                "cpu_s": cpu_s,
            }
            store.save(state, [])
            report("supernet", done, epochs)
    weights = BytesIO()
    torch.save(training.supernet.state_dict(), weights)
    write_atomic(work / SUPERNET_FILE, weights.getvalue())
    return {"epochs": epochs, "images": training.trained_images, "cpu_s": round(cpu_s, 1)}


def repeated_of(family: NetworkFamily, members: Mapping[str, Any], count: int) -> list[str]:
    """Networks that are trained with all seeds: one of each part, which are equally many networks by rising work."""
    work = {
        key: shape_network(family.layers(member), name=key).macs for key, member in members.items()
    }
    parts = np.array_split(sorted(members, key=lambda key: work[key]), min(count, len(members)))
    random = np.random.default_rng(SUPERNET_SEED)
    return [str(part[random.integers(len(part))]) for part in parts if len(part)]


def tests_of(
    members: Mapping[str, Any], repeated: Sequence[str], seeds: int, weights: str
) -> dict[str, tuple[str, int | None]]:
    """Arguments of all tests by their keys: a network and its seed, None for the shared weights.

    Parameters
    ----------
    members : mapping of str to member
    repeated : sequence of str
        Networks that are trained with all seeds.
    seeds : int
    weights : str
        Digest of the shared weights; tests with others are not theirs.
    """
    tests: dict[str, tuple[str, int | None]] = {
        f"{key}:shared:{weights}": (key, None) for key in members
    }
    tests |= {f"{key}:0": (key, 0) for key in members}
    tests |= {f"{key}:{seed}": (key, seed) for seed in range(1, seeds) for key in repeated}
    return tests


def keep(experiment: Experiment, weights: Path) -> None:
    """Prepare a process: data, networks, supernet."""
    task = load_task(experiment)
    family = load_family(experiment, task)
    supernet = family.supernet()
    supernet.load_state_dict(torch.load(weights, weights_only=True))
    _kept[:] = [
        _Trained(
            experiment=experiment,
            task=task,
            family=family,
            members={member.key: member for member in members_of(family)},
            supernet=supernet,
        )
    ]


def tested(key: str, seed: int | None) -> dict[str, Any]:
    """Accuracies of a network: trained alone with a seed, or with the shared weights."""
    kept = _kept[0]
    member = kept.members[key]
    started = time.process_time()
    with deterministic_torch():
        made: ChildAccuracy
        if seed is None:
            made = accuracy_with_shared_weights(kept.supernet, kept.family, kept.task, member)
        else:
            made = accuracy_alone(kept.family, kept.task, member, kept.experiment.train, seed)
    return made._asdict() | {"cpu_s": round(time.process_time() - started, 2)}


def table_of(
    experiment: Experiment,
    task: Task,
    identity: Mapping[str, Any],
    tests: Mapping[str, tuple[str, int | None]],
    records: Mapping[str, Mapping[str, Any]],
    supernet: Mapping[str, Any],
) -> dict[str, Any]:
    """Table that :func:`search.networks.trained_table.read_trained_table` reads: of the tests and no other record."""
    by_seed: dict[str, dict[int | None, Mapping[str, Any]]] = {}
    for test, (key, seed) in tests.items():
        by_seed.setdefault(key, {})[seed] = records[test]
    children = {}
    for key, of_seed in by_seed.items():
        others = [row["post_training"] for seed, row in of_seed.items() if seed]
        children[key] = {
            "full_precision": of_seed[0]["full_precision"],
            "post_training": of_seed[0]["post_training"],
            "shared_weights": of_seed[None]["post_training"],
            **({"other_seeds": others} if others else {}),
        }
    space = replace(
        experiment.network, space=experiment.network.space or experiment.task.network_space
    )
    return {
        "schema": SCHEMA,
        "family": family_document(space, task.image, task.classes),
        "training": {
            **identity,
            "images": {"train": len(task.train), "test": len(task.test)},
            "supernet": dict(supernet),
            "cpu_s": {
                "alone": spread(
                    [records[key]["cpu_s"] for key, (_, seed) in tests.items() if seed is not None]
                ),
                "children": round(sum(records[f"{key}:0"]["cpu_s"] for key in by_seed), 1),
                "all": round(sum(row["cpu_s"] for row in records.values()) + supernet["cpu_s"], 1),
            },
        },
        "children": children,
    }


if __name__ == "__main__":
    main()
