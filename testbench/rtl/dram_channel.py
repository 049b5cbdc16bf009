"""The DRAM of tier T3 as the C++ harness models it: channels side by side, and their clocks."""

from dataclasses import asdict, dataclass

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.dram import DramSystem
from sim.spec.dram_timing import DramClocks
from sim.timing.dram_organization import Organization, organization

__all__ = ["DramChannel", "dram_channel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DramChannel(Organization, DramClocks):
    """An organization and its timing: one memory channel and its controller, in memory clocks.

    ``templates/dram.h`` is the model.
    """

    def __post_init__(self) -> None:
        """Check signs and powers of two."""
        for name, value in asdict(self).items():
            least = 0 if name in ("reorder", "write_low", "front", "back") else 1
            if value < least:
                rule = "not be negative" if least == 0 else "be positive"
                raise ValueError(f"{name} must {rule}, not {value!r}")
        for name in ("access_bytes", "page_bytes", "banks", "bank_groups"):
            value = getattr(self, name)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value!r}")
        if self.refresh_interval <= self.refresh + self.precharge_all:
            raise ValueError(
                f"refresh_interval must be longer than a refresh, not {self.refresh_interval!r}"
            )

    @property
    def job_values(self) -> dict[str, int]:
        """Lines of the harness's job."""
        return {f"dram_{name}": value for name, value in asdict(self).items()}


def dram_channel(config: AcceleratorConfig, system: DramSystem) -> DramChannel:
    """Channels of a DRAM behind an accelerator, as one wide channel.

    Raises
    ------
    CosilicoError
        If the bus needs more channels than the memory may have.
    """
    return DramChannel(**asdict(organization(config, system)), **asdict(system.clocks))
