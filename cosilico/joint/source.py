"""Judges of co-searches by the name that a user gives: an enumeration, or a front that is kept."""

from pathlib import Path

from cosilico.joint.enumeration import NETWORKS_FILE, SUMMARY_FILE
from cosilico.joint.kept import KEPT, front_file, read_kept
from cosilico.joint.space import JointSpace
from cosilico.joint.truth import is_joint_enumeration, read_truth
from sim.spec.archives import file_sha256

__all__ = ["is_joint", "joint_digests", "joint_files", "read_joint", "resolved"]


def is_joint(subject: str) -> bool:
    """Whether a user names a folder of ``cosilico joint``, or a benchmark whose front may be kept."""
    return _is_kept(subject) or is_joint_enumeration(Path(subject))


def read_joint(subject: str) -> JointSpace:
    """Joint space of a folder, whose costs are looked up, or of a front that is kept, whose costs are predicted.

    Raises
    ------
    DesignFileError, MissingExtraError, StaleCalibrationError
        As :func:`cosilico.joint.truth.read_truth` and :func:`cosilico.joint.kept.read_kept`.
    """
    return read_kept(subject) if _is_kept(subject) else read_truth(Path(subject))


def joint_files(subject: str) -> list[Path]:
    """Files of the user's that are read."""
    return [] if _is_kept(subject) else [Path(subject) / SUMMARY_FILE]


def joint_digests(subject: str) -> dict[str, str]:
    """Digests of all that says what the pairs are, by name."""
    if _is_kept(subject):
        return {"joint": file_sha256(front_file(subject), f"front of joint space {subject}")}
    folder = Path(subject)
    return {
        "joint": file_sha256(folder / SUMMARY_FILE, "joint enumeration"),
        "networks": file_sha256(folder / NETWORKS_FILE, "file of networks"),
    }


def _is_kept(subject: str) -> bool:
    """A folder of the name that is an enumeration goes before."""
    return subject in KEPT and not is_joint_enumeration(Path(subject))


def resolved(subject: str) -> str:
    """Subject as a process in another folder can read it."""
    return subject if _is_kept(subject) else str(Path(subject).resolve())
