"""A family of networks in a file: the fields of its space, and the images that it classifies."""

from collections.abc import Mapping
from typing import Annotated, Any

from search.networks.family import NetworkFamily
from search.networks.settings import NetworkSettings
from search.sections import made, record
from sim.spec.documents import Record, checked
from sim.spec.errors import DesignFileError
from sim.spec.rules import Integer, Shape

__all__ = ["FamilyRecord", "family_document", "family_of"]

_DEFAULT = "fashion"
"""Space to start from where a file names none."""


class FamilyRecord(Record):
    """Family of a file, before its space is checked."""

    image: Annotated[tuple[int, ...], Shape(3, 3, 1, 4096)]
    classes: Annotated[int, Integer(1, 1 << 20)]
    network: dict[str, Any]


def family_document(
    settings: NetworkSettings, image: tuple[int, int, int], classes: int
) -> dict[str, Any]:
    """Family as JSON.

    Parameters
    ----------
    settings : NetworkSettings
        Of a space that is built in, by its name, and not of an entry.
    image : (int, int, int)
        Height, width and channels.
    classes : int
    """
    return {"image": list(image), "classes": classes, "network": settings.to_json()}


def family_of(document: FamilyRecord, where: str) -> NetworkFamily:
    """Family that a file describes; ``where`` names its place.

    Raises
    ------
    DesignFileError
        One line that names the field, the rule and the value. No file names code.
    """
    given: Mapping[str, Any] = document.network
    if "entry" in given:
        raise DesignFileError(f"{where}.network.entry must not be given in a file of accuracies")
    place = f"{where}.network"
    settings = made(NetworkSettings, checked(record(NetworkSettings), dict(given), place), place)
    height, width, channels = document.image
    return settings.family((height, width, channels), document.classes, default=_DEFAULT)
