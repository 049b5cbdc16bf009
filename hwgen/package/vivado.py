"""Scripts for Vivado: an accelerator as an IP, and an overlay for a Zynq; they could not be tried there."""

from hwgen.package.identity import RTL, PackageIdentity, render
from hwgen.ports import BUSES

__all__ = ["ZYNQ_CLOCK_MHZ", "vivado_script", "zynq_script"]

ZYNQ_CLOCK_MHZ = 50
"""Clock of an overlay if none is given: a guess, as nothing has been timed on a Zynq."""


def vivado_script(identity: PackageIdentity) -> str:
    """Return ``package_ip.tcl``."""
    names = [name.removeprefix(f"{RTL}/") for name in identity.sources]
    return render("package_ip.tcl.j2", identity, rtl=RTL, names=names, buses=list(BUSES))


def zynq_script(identity: PackageIdentity) -> str:
    """Return ``zynq.tcl``, which builds an overlay of the IP that ``package_ip.tcl`` makes."""
    registers, data, descriptors = BUSES
    return render(
        "zynq.tcl.j2",
        identity,
        registers=registers,
        data=data,
        descriptors=descriptors,
        clock_mhz=min(ZYNQ_CLOCK_MHZ, identity.config.clock_mhz),
    )
