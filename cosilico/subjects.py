"""Subjects of a run: an experiment to search by, or a network that is given."""

from pathlib import Path
from typing import Any, Protocol

from cosilico.cache import digest, document_digest
from cosilico.images import ImageSet, images_for, save_arrays
from cosilico.imports import imported_images, is_imported, load_imported
from cosilico.networks import is_named, network_argument
from cosilico.photographs import default_images
from cosilico.progress import Report
from search.experiment import Experiment, load_experiment
from search.strategies.hardware_settings import HardwareSettings
from search.tasks import TASKS
from sim.cost.objective import Metric
from sim.spec.network import Network
from sim.spec.network_json import network_digest
from sim.spec.spaces import HARDWARE_SPACES, HardwareSpace

__all__ = ["ExperimentSubject", "NetworkSubject", "Subject"]

TEST_IMAGES = 2
"""Random inputs that a given network runs in RTL where no test images are beside it."""


class Subject(Protocol):
    """A run's name, what it is allowed to choose, and its search."""

    name: str
    metric: Metric

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
        self.metric: Metric = self.experiment.search.metric
        self.space: str = self.experiment.space

    def identity(self) -> dict[str, str]:
        """Digests of experiment and space, and the seed."""
        return {
            "experiment": document_digest(self.experiment.to_json()),
            "space": document_digest(HARDWARE_SPACES[self.space].to_json()),
            "seed": str(self.seed),
        }

    def search(self, out: Path, *, resume: bool, progress: Report) -> dict[str, Any]:
        """Search network and accelerator."""
        from search.driver import run_search

        result = run_search(self.experiment, out, resume=resume, seed=self.seed, progress=progress)
        _save_test_images(self.experiment, out / "test.npz")
        return result.to_json()


class NetworkSubject:
    """Search of the accelerator for a network, which is a name, a design file or a folder.

    Test images: ``test.npz`` beside a file or in an imported folder,
    :func:`cosilico.photographs.default_images` for a named network, else random images.
    """

    def __init__(
        self, network: str, hardware: HardwareSpace, seed: int, *, metric: Metric = "latency"
    ) -> None:
        self.network: Network = network_argument(network, seed)
        self.images = _images(network, self.network)
        self.hardware, self.seed = hardware, seed
        self.name: str = self.network.name
        self.metric: Metric = metric

    def identity(self) -> dict[str, str]:
        """Digests of network, images and space, the objective and the seed."""
        labels = [] if self.images.y is None else [self.images.y.tobytes()]
        return {
            "network": network_digest(self.network),
            "images": digest(self.images.x.tobytes(), *labels),
            "space": document_digest(self.hardware.to_json()),
            "objective": self.metric,
            "seed": str(self.seed),
        }

    def search(self, out: Path, *, resume: bool, progress: Report) -> dict[str, Any]:
        """Search the accelerator."""
        from search.driver import run_hardware_search

        result = run_hardware_search(
            self.network,
            self.hardware,
            out,
            settings=HardwareSettings(metric=self.metric),
            resume=resume,
            seed=self.seed,
            progress=progress,
        )
        labels = {} if self.images.y is None else {"y": self.images.y}
        save_arrays(out / "test.npz", x=self.images.x, **labels)
        return result.to_json()


def _save_test_images(experiment: Experiment, path: Path) -> None:
    task = TASKS[experiment.task.name].make(experiment.task)
    save_arrays(path, x=task.quantize(task.test.images), y=task.test.labels.numpy())


def _images(text: str, network: Network) -> ImageSet:
    if is_imported(text):
        count = None if (Path(text) / "test.npz").exists() else TEST_IMAGES
        return imported_images(load_imported(text), Path(text), None, count)
    if is_named(text):
        return default_images(network.input)
    count = None if (Path(text).parent / "test.npz").exists() else TEST_IMAGES
    return images_for(Path(text), network, None, count)
