"""Core of a package for FuseSoC, CAPI2."""

from collections.abc import Iterable

from hwgen.package.identity import PackageIdentity, render

__all__ = ["fusesoc_core"]


def fusesoc_core(identity: PackageIdentity, headers: Iterable[str], data: Iterable[str]) -> str:
    """Return the core file, with the targets lint, sim and synth.

    Parameters
    ----------
    identity : PackageIdentity
    headers : iterable of str
        Headers of driver and testbench below the package.
    data : iterable of str
        Files below ``sim`` that the testbench reads while it runs.
    """
    return render("cosilico.core.j2", identity, headers=list(headers), data=list(data))
