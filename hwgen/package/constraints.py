"""Constraints of an accelerator in SDC: clock, and delays of its ports."""

from hwgen.package.identity import PackageIdentity, render
from hwgen.ports import CLOCK, Port

__all__ = ["INPUT_SHARE", "OUTPUT_SHARE", "constraints"]

INPUT_SHARE = 0.3
OUTPUT_SHARE = 0.3
"""Shares of a period that lie before inputs and behind outputs; a user's to replace."""


def constraints(identity: PackageIdentity) -> str:
    """Return ``cosilico.sdc``."""
    ports = [port for port in identity.ports if port.name != CLOCK]
    return render(
        "cosilico.sdc.j2",
        identity,
        input_share=INPUT_SHARE,
        output_share=OUTPUT_SHARE,
        inputs=[_pins(port) for port in ports if port.direction == "input"],
        outputs=[_pins(port) for port in ports if port.direction == "output"],
    )


def _pins(port: Port) -> str:
    """Return the pattern of a port's bits."""
    return port.name if port.bits == 1 else f"{port.name}[*]"
