"""Files that a command or call reads where a user names its inputs: none may be written over."""

from pathlib import Path

from sim.importers.folder import NETWORK_FILE
from sim.networks.named import NAMED_NETWORKS
from sim.spec.documents import read_json
from sim.spec.errors import DesignFileError
from sim.spec.network_json import WEIGHTS_FILE
from sim.spec.spaces import SPACE_NAMES

__all__ = ["TEST_FILE", "input_files", "network_files"]

TEST_FILE = "test.npz"


def input_files(
    network: object = None, accelerator: object = None, *others: Path | None
) -> tuple[Path, ...]:
    """Files behind the inputs of a command or a call, whether they exist or not.

    Parameters
    ----------
    network, accelerator : str, Path or other
        As a user names them. Objects in memory have no files, nor have the names of networks and spaces.
    *others : Path, optional
        Files as they are: an experiment, images, timing constants.
    """
    networks = network_files(str(network)) if isinstance(network, str | Path) else ()
    named = not isinstance(accelerator, str | Path) or str(accelerator) in SPACE_NAMES
    accelerators = () if named else (Path(str(accelerator)),)
    return (*networks, *accelerators, *(path for path in others if path is not None))


def network_files(network: str) -> tuple[Path, ...]:
    """Files behind a network's argument, whether they exist or not; none for a named network.

    Those of a design are its own, the weights that it names and ``test.npz`` beside it.
    """
    path = Path(network)
    if network in NAMED_NETWORKS:
        return ()
    if path.is_dir():
        return (path / NETWORK_FILE, *_beside(path / NETWORK_FILE))
    return (path, *_beside(path))


def _beside(document_file: Path) -> tuple[Path, ...]:
    try:
        weights = read_json(document_file, "network file")["weights"]["file"]
    except (DesignFileError, TypeError, KeyError):
        weights = None  # the command's own reader says what is wrong
    name = weights if isinstance(weights, str) and "\0" not in weights else WEIGHTS_FILE
    return (document_file.parent / name, document_file.parent / TEST_FILE)
