"""Subjects of a run: an experiment to search by, or a network that is given."""

from functools import partial
from pathlib import Path
from typing import Any, Protocol

from cosilico.cache import digest, document_digest
from cosilico.hardware_strategies import default_strategy, hardware_strategy
from cosilico.images import ImageSet, images_for, save_arrays
from cosilico.imports import imported_images, is_imported, load_imported
from cosilico.inputs import network_files
from cosilico.networks import is_named, network_argument
from cosilico.photographs import default_images
from cosilico.progress import Report
from search.experiment import Experiment, load_experiment
from search.strategies.settings import StrategySettings
from sim.cost.area import area_budget
from sim.cost.costs import evaluate_many
from sim.cost.objective import Objective
from sim.cost.workload import Workload
from sim.networks.named import NAMED_NETWORKS
from sim.spec.memories import DETERMINISTIC, FixedLatency
from sim.spec.network import Network
from sim.spec.network_json import network_digest
from sim.spec.spaces import HardwareSpace

__all__ = ["ExperimentSubject", "NetworkSubject", "Subject"]

TEST_IMAGES = 2
"""Random inputs that a given network runs in RTL where no test images are beside it."""


class Subject(Protocol):
    """A run's name, what it is allowed to choose, and its search.

    Members
    -------
    name : str
    hardware : HardwareSpace
    objective : Objective
    memory : FixedLatency
        What lies behind the ports.
    workload : Workload
        Networks that share the accelerator; empty for a single network.
    files : tuple of Path
        Files that the run reads, none of which it may write over.
    """

    name: str
    hardware: HardwareSpace
    objective: Objective
    memory: FixedLatency
    workload: Workload
    files: tuple[Path, ...]

    def identity(self) -> dict[str, str]:
        """Digests of all that the search depends on, by name."""
        ...

    def search(self, out: Path, *, resume: bool, progress: Report) -> dict[str, Any]:
        """Search; write the design, ``search.json`` and ``test.npz``; return ``search.json``'s content."""
        ...


class ExperimentSubject:
    """Co-search by an experiment."""

    def __init__(self, path: Path, seed: int) -> None:
        self.experiment = load_experiment(path)
        self.seed = seed
        self.name: str = self.experiment.name
        self.hardware = self.experiment.hardware.hardware_space()
        self.objective = self.experiment.objective.objective(self.hardware)
        self.memory: FixedLatency = self.experiment.memory
        settings, folder = self.experiment.workload, path.parent
        self._networks = [_beside(folder, other.network) for other in settings.networks]
        self.workload = Workload(
            [
                (network_argument(text), other.runs)
                for text, other in zip(self._networks, settings.networks, strict=True)
            ],
            runs=settings.runs,
            batch=settings.batch,
            costs=partial(
                evaluate_many,
                memory=self.memory,
                images=settings.batch,
                limits=self.hardware.limits,
            ),
        )
        others = (file for text in self._networks for file in network_files(text))
        self.files: tuple[Path, ...] = (path, *self.experiment.task.files, *others)

    def identity(self) -> dict[str, str]:
        """Digests of experiment, data, space, the workload's networks and memory, and the seed."""
        networks = [network_digest(network) for network, _ in self.workload.others]
        return {
            "experiment": document_digest(self.experiment.to_json()),
            "data": self.experiment.task.fingerprint(),
            "space": document_digest(self.hardware.to_json()),
            "workload": document_digest(networks),
            "memory": document_digest(self.memory.to_json()),
            "seed": str(self.seed),
        }

    def search(self, out: Path, *, resume: bool, progress: Report) -> dict[str, Any]:
        """Search network and accelerator."""
        from search.driver import run_search

        result = run_search(
            self.experiment,
            out,
            resume=resume,
            seed=self.seed,
            progress=progress,
            costs=self.workload.costs,
        )
        _save_test_images(self.experiment, out / "test.npz")
        return result.to_json()


class NetworkSubject:
    """Search of the accelerator for a network, which is a name, a design file or a folder.

    Test images: ``test.npz`` beside a file or in an imported folder,
    :func:`cosilico.photographs.default_images` for a named network, else random images.
    """

    def __init__(
        self,
        network: str,
        hardware: HardwareSpace,
        seed: int,
        *,
        settings: StrategySettings | None = None,
        memory: FixedLatency = DETERMINISTIC,
    ) -> None:
        self.network: Network = network_argument(network, seed)
        self.images = _images(network, self.network)
        self.hardware, self.seed = hardware, seed
        self.name: str = self.network.name
        self.settings = settings or hardware_strategy(
            default_strategy(hardware), metric="latency", wanted_by="cosilico run"
        )
        self.objective = Objective(metric=self.settings.metric, area_budget=area_budget(hardware))
        self.memory: FixedLatency = memory
        self.workload = Workload(
            costs=partial(evaluate_many, memory=memory, limits=hardware.limits)
        )
        self.files: tuple[Path, ...] = network_files(network)

    def identity(self) -> dict[str, str]:
        """Digests of network, images, space, strategy and memory, the objective and the seed."""
        labels = [] if self.images.y is None else [self.images.y.tobytes()]
        return {
            "network": network_digest(self.network),
            "images": digest(self.images.x.tobytes(), *labels),
            "space": document_digest(self.hardware.to_json()),
            "objective": self.objective.metric,
            "strategy": document_digest(self.settings.to_json()),
            "memory": document_digest(self.memory.to_json()),
            "seed": str(self.seed),
        }

    def search(self, out: Path, *, resume: bool, progress: Report) -> dict[str, Any]:
        """Search the accelerator."""
        from search.driver import run_hardware_search

        result = run_hardware_search(
            self.network,
            self.hardware,
            out,
            settings=self.settings,
            memory=self.memory,
            resume=resume,
            seed=self.seed,
            progress=progress,
        )
        labels = {} if self.images.y is None else {"y": self.images.y}
        save_arrays(out / "test.npz", x=self.images.x, **labels)
        return result.to_json()


def _save_test_images(experiment: Experiment, path: Path) -> None:
    from search.loading import load_task

    task = load_task(experiment)
    save_arrays(path, x=task.quantize(task.test.images), y=task.test.labels.numpy())


def _beside(folder: Path, text: str) -> str:
    """Name of a network, or the path of its file in a folder."""
    return text if text in NAMED_NETWORKS else str(folder / text)


def _images(text: str, network: Network) -> ImageSet:
    if is_imported(text):
        count = None if (Path(text) / "test.npz").exists() else TEST_IMAGES
        return imported_images(load_imported(text), Path(text), None, count)
    if is_named(text):
        return default_images(network.input)
    count = None if (Path(text).parent / "test.npz").exists() else TEST_IMAGES
    return images_for(Path(text), network, None, count)
