"""The price of bandwidth: sources for every figure, monotone, and worked out by hand."""

import math
from itertools import pairwise

import pytest

from project_root import ROOT
from sim.cost.external_interface import (
    ExternalInterface,
    interface_class,
    interface_figures,
    interface_price,
)
from sim.spec.spaces import SPACE_NAMES


@pytest.mark.parametrize("interface", ExternalInterface)
def test_more_bandwidth_never_costs_less(interface: ExternalInterface) -> None:
    prices = [interface_price(interface, step / 10).area_mm2 for step in range(1, 1025)]
    assert all(less <= more for less, more in pairwise(prices))
    assert prices[-1] > 10 * prices[0]


def test_a_space_pays_for_each_of_its_bandwidths() -> None:
    for space in SPACE_NAMES.values():
        bandwidths = space.values["io_bandwidth_gbps"]
        prices = [interface_price(interface_class(value), value) for value in bandwidths]
        assert all(less.area_mm2 < more.area_mm2 for less, more in pairwise(prices))


def test_an_lpddr4_price_by_hand() -> None:
    """20 GB/s: 4 channels at 2,500 MT/s, 32 signals each."""
    price = interface_price(ExternalInterface.LPDDR4, 20)
    assert (price.channels, price.rate_mts) == (4, 2500)
    driver = 0.5 + 8e-5 * 1250 + 3e-8 * 1250**2 + 8e-12 * 1250**3
    assert price.io_mm2 == pytest.approx(4 * 32 * (0.01 + driver / 50))
    assert price.phy_mm2 == pytest.approx(4 * 0.26 * (45 / 40) ** 2 * 2500 / 2133)
    assert price.controller_mm2 == pytest.approx(4 * 0.15 * (45 / 65) ** 2 * 16 / 72)
    assert price.area_mm2 == pytest.approx(4.583, abs=0.001)
    energies = (price.read_pj_per_bit, price.write_pj_per_bit)
    assert energies == (1.83, 5.68)


def test_a_hyperbus_price_by_hand() -> None:
    price = interface_price(ExternalInterface.HYPERBUS, 0.8)
    assert (price.channels, price.rate_mts) == (2, 400)
    assert price.io_mm2 == pytest.approx(2 * 12 * 80e-3 * 180e-3)
    assert price.phy_mm2 == pytest.approx(2 * 3500 * 0.798e-6)
    assert price.area_mm2 == pytest.approx(0.367, abs=0.001)
    assert price.read_pj_per_bit == 250 / 8
    assert price.device_read_pj_per_bit == pytest.approx(60 * 1.8 / (0.333 * 8), rel=2e-3)


def test_the_devices_currents_give_its_energy_per_bit() -> None:
    """Supplies of 1.8, 1.1 and 1.1 V; 16 bits at 3,200 MT/s."""
    price = interface_price(ExternalInterface.LPDDR4, 5)
    read_mw = 2.25 * 1.8 + 275 * 1.1 + 150 * 1.1
    write_mw = 2.25 * 1.8 + 210 * 1.1 + 55 * 1.1
    assert price.device_read_pj_per_bit == pytest.approx(read_mw / 51.2, abs=0.005)
    assert price.device_write_pj_per_bit == pytest.approx(write_mw / 51.2, abs=0.005)


def test_a_drivers_area_agrees_with_a_published_phy() -> None:
    """DesignWare's 16-bit DDR3 PHY: 1.3 mm² at 40 nm, four fifths of it I/O, of 49 signals."""
    slow = interface_price(ExternalInterface.LPDDR4, 2 * 2.133)
    assert slow.channels == 1
    assert slow.io_mm2 / 32 == pytest.approx(0.8 * 1.3 / 49, rel=0.1)


def test_every_figure_has_a_source_that_the_page_names() -> None:
    table = interface_figures()
    page = " ".join((ROOT / "docs/explanation/cost.md").read_text(encoding="utf-8").split())
    used = {figure.source for figures in table.figures.values() for figure in figures.values()}
    assert used == set(table.sources)
    for source in table.sources.values():
        assert source.title in page
        assert f"{source.published}, {source.year}" in page
    for figures in table.figures.values():
        for name, figure in figures.items():
            assert f"| `{name}` | {figure.published:g} | {figure.unit} |" in page
            scaled = math.isclose(figure.value, figure.published)
            assert scaled == (
                figure.technology_nm is None
                or not name.endswith("_area")
                or name in ("io_area", "gate_area")
            )


def test_the_page_has_the_prices_of_the_spaces_bandwidths() -> None:
    page = (ROOT / "docs/explanation/cost.md").read_text(encoding="utf-8")
    names = {ExternalInterface.LPDDR4: "LPDDR4", ExternalInterface.HYPERBUS: "HyperBus"}
    for space in SPACE_NAMES.values():
        for bandwidth in space.values["io_bandwidth_gbps"]:
            interface = interface_class(bandwidth)
            price = interface_price(interface, bandwidth)
            parts = (price.io_mm2, price.phy_mm2, price.controller_mm2, price.area_mm2)
            areas = " | ".join(f"{part:.3f}" for part in parts)
            line = f"{names[interface]} | {bandwidth:g} | {price.channels} | {price.rate_mts:,.0f}"
            assert f"\n| {line} | {areas} |\n" in page


@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan])
def test_a_bandwidth_that_cannot_be_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=rf"^io_bandwidth_gbps must be positive, not {value!r}$"):
        interface_price(ExternalInterface.LPDDR4, value)
