"""Realizability in the public API: whether an accelerator can be generated and runs a network."""

from dataclasses import asdict, dataclass
from typing import Any

from cosilico.api import arguments
from cosilico.api.accelerators import load_accelerator
from cosilico.api.networks import NetworkSource
from cosilico.api.pairs import AcceleratorSource, load_pair
from cosilico.api.table import Table
from cosilico.gateware import current_calibration
from sim import realizability
from sim.cost.costs import accelerator_violations
from sim.realizability import Violation
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.fpga_devices import FPGA_DEVICES, FpgaBudget
from sim.spec.limits import Limits
from sim.spec.network import Network

__all__ = ["CheckResult", "check"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CheckResult:
    """Verdict on an accelerator, or on a network with it; true where realizable.

    Parameters
    ----------
    network : str or None
        Name of the network; None where the accelerator alone was checked.
    accelerator : AcceleratorConfig
    images : int
        Images per program.
    violations : tuple of Violation
        All broken rules of the generator, or the first that stops the mapping; empty if realizable.
    """

    network: str | None
    accelerator: AcceleratorConfig
    images: int
    violations: tuple[Violation, ...]

    def __bool__(self) -> bool:
        """Return whether no rule is broken."""
        return not self.violations

    def __repr__(self) -> str:
        """Return a line with the verdict and the first broken rule."""
        subject = "accelerator" if self.network is None else self.network
        if not self.violations:
            return f"CheckResult({subject}: realizable)"
        first = self.violations[0]
        return f"CheckResult({subject}: {first.code}, {first.detail})"

    @property
    def realizable(self) -> bool:
        """Whether no rule is broken."""
        return not self.violations

    @property
    def table(self) -> Table:
        """Broken rules: code, line with both numbers, relative distance."""
        rows = [(broken.code, broken.detail, broken.excess) for broken in self.violations]
        return Table.of_rows("violations", ("code", "detail", "excess"), rows)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as a JSON object."""
        return {
            "network": self.network,
            "accelerator": self.accelerator.to_json(),
            "images": self.images,
            "realizable": self.realizable,
            "violations": [asdict(broken) for broken in self.violations],
        }


def check(
    network: NetworkSource | None = None,
    accelerator: AcceleratorSource | None = None,
    *,
    images: int = 1,
    device: str | None = None,
    power_budget_mw: float | None = None,
) -> CheckResult:
    """Check whether an accelerator can be generated and, if a network is given, run it.

    Parameters
    ----------
    network : Network, ImportedNetwork, Design, str or Path, optional
        As of :func:`cosilico.load_network`; without it the accelerator alone is checked.
    accelerator : AcceleratorConfig, str or Path, optional
        As of :func:`cosilico.load_accelerator`; a design's own if not given.
    images : int
        Images per program.
    device : str, optional
        FPGA that the accelerator has to fit, by the resources that were fitted to synthesis: one of
        :data:`sim.spec.fpga_devices.FPGA_DEVICES`.
    power_budget_mw : float, optional
        Highest power that the accelerator may take at its clock, mW, if everything works in every cycle.

    Raises
    ------
    TypeError, ValueError
        With a line that names the argument that is wrong.
    CosilicoError
        If a file is wrong, or there is no accelerator. A broken rule is no error: see the result.
    """
    images = arguments.positive_integer("images", images)
    limits = Limits(
        fpga=None if device is None else _device(device),
        power_mw=None
        if power_budget_mw is None
        else arguments.positive_number("power_budget_mw", power_budget_mw),
    )
    if network is None and accelerator is not None:
        config, name = load_accelerator(accelerator), None
        violations = _checked(config, None, images, limits)
    else:
        pair = load_pair(_required(network), accelerator)
        config, name = pair.accelerator, pair.network.name
        violations = _checked(config, pair.network, images, limits)
    return CheckResult(
        network=name, accelerator=config, images=images, violations=tuple(violations)
    )


def _device(name: str) -> FpgaBudget:
    if name not in FPGA_DEVICES:
        raise CosilicoError(f"device must be one of {', '.join(FPGA_DEVICES)}, not {name!r}")
    return FPGA_DEVICES[name]


def _checked(
    config: AcceleratorConfig, network: Network | None, images: int, limits: Limits
) -> list[Violation]:
    """Violations of the one check; what an accelerator takes of an FPGA, and its power, is asked of the fits of this gateware."""
    if not limits:
        return realizability.check(config, network, images=images)
    current_calibration()
    broken = accelerator_violations(config, limits)
    return broken or realizability.check(config, network, images=images)


def _required(network: NetworkSource | None) -> NetworkSource:
    if network is None:
        raise TypeError("check must be given a network, an accelerator or both")
    return network
