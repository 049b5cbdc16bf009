"""Script that packages an accelerator as an IP of Vivado; it could not be tried there."""

from hwgen.package.identity import RTL, PackageIdentity, render
from hwgen.ports import BUSES

__all__ = ["vivado_script"]


def vivado_script(identity: PackageIdentity) -> str:
    """Return ``package_ip.tcl``."""
    names = [name.removeprefix(f"{RTL}/") for name in identity.sources]
    return render("package_ip.tcl.j2", identity, rtl=RTL, names=names, buses=list(BUSES))
