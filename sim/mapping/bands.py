"""Bands: how many rows of depthwise windows are read together, and how long that takes."""

from sim.arrays.geometry import ceil_div, uses_window
from sim.arrays.kernel import in_place
from sim.arrays.tables import LayerColumn
from sim.mapping.bank_ports import stores_met
from sim.spec.accelerator import DOT_WIDTH, WINDOW_VECTORS
from sim.spec.network import FACTOR_BYTES

__all__ = ["band_times", "choose_band", "fits_band", "ring_gap"]


@in_place
def ring_gap(stride_y, band):
    """Rows of the ring's banks that lie between two columns of a band, beyond a window's own.

    A column of the band has (``band`` - 1) · ``stride_y`` vectors more than one of a window. Rounded up to
    whole rows, so that four taps lie in four banks even where they belong to two columns.
    """
    return ceil_div((band - 1) * stride_y, DOT_WIDTH)


@in_place
def fits_band(kernel_y, kernel_x, stride_y, stride_x, band):
    """Whether the ring holds the columns of a band of that many rows of windows.

    The columns must leave a place free: the next column's first vector comes with the last step.
    """
    if not uses_window(kernel_y, kernel_x, stride_x):
        return False
    if band == 1:
        return True
    column = kernel_y + DOT_WIDTH * ring_gap(stride_y, band)
    return kernel_y > 1 and kernel_x * column < WINDOW_VECTORS


@in_place
def _lag(kernel_y, kernel_x, columns):
    """Cycles from a window's last read to its last step, where ``columns`` columns are read row by row.

    A window's last row comes last and has a tap in each column: early steps need those of early columns.
    """
    steps = ceil_div(kernel_y * kernel_x, DOT_WIDTH)
    lag = 0
    for column in range(kernel_x - columns, kernel_x):
        later_steps = steps - 1 - (column * kernel_y + kernel_y - 1) // DOT_WIDTH
        lag = max(lag, later_steps - (kernel_x - 1 - column))
    return lag


@in_place
def band_times(kernel_y, kernel_x, stride_y, stride_x, pixels, band, windows, least, stores):
    """(initiation interval, lead) of ``windows`` rows of windows in bands that the ring holds.

    Set after set of ``pixels`` windows ends an interval after the other; by then the windows' new
    columns must have been read, a vector per cycle without a store, and in a band's first sets all their columns.

    Parameters
    ----------
    kernel_y, kernel_x, stride_y, stride_x : int
    pixels : int
        Windows of a set, one above the other (P).
    band : int
        Rows of a band; with 1 a window's columns are read one after another, else row by row.
    windows : int
        Rows of windows that there are.
    least : int
        Least interval for other reasons: the requantizer.
    stores : int
        Most stores of a set.
    """
    fresh = min(kernel_x, stride_x)
    lag, first_lag = 0, 0
    if band > 1:
        lag, first_lag = _lag(kernel_y, kernel_x, fresh), _lag(kernel_y, kernel_x, kernel_x)
    cycles = max(least, stores, ceil_div(kernel_y * kernel_x, DOT_WIDTH))
    highest = min(band, windows)
    sets = ceil_div(highest, pixels)
    for number in range(1, sets + 1):
        rows = (min(number * pixels, highest) - 1) * stride_y + kernel_y
        cycles = max(cycles, ceil_div(fresh * rows + lag, number) + stores)
    lead = 0
    for number in range(1, sets + 1):
        rows = (min(number * pixels, highest) - 1) * stride_y + kernel_y
        needed, end = kernel_x * rows, number * cycles - first_lag
        lead = max(lead, needed - end)
        lacking = 1
        while lacking > 0:
            lacking = needed + stores_met(end + lead, cycles, stores, lead) - (end + lead)
            lead += max(0, lacking)
    return cycles, lead


@in_place
def choose_band(layer, pixels, rows, columns, least, stores):
    """(rows of a band, initiation interval, lead, cycles) of ``rows`` × ``columns`` depthwise windows.

    The fewest rows among those with the fewest cycles. Kernels that the ring does not hold are
    computed one tap per cycle, in bands of one row. A set has ``stores`` stores at most, which reads give way to.
    """
    kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    stride_y, stride_x = layer[LayerColumn.STRIDE_Y], layer[LayerColumn.STRIDE_X]
    if layer[LayerColumn.FACTORS] > 0:
        kernel_y = FACTOR_BYTES
    sets = ceil_div(rows, pixels)
    if not uses_window(kernel_y, kernel_x, stride_x):
        interval = max(least, kernel_y * kernel_x + stores)
        return 1, interval, 0, sets * columns * interval
    best_band, best_interval, best_lead, best = 0, 0, 0, 0
    for number in range(1, sets + 1):
        band = number * pixels
        if not fits_band(kernel_y, kernel_x, stride_y, stride_x, band):
            break
        interval, lead = band_times(
            kernel_y, kernel_x, stride_y, stride_x, pixels, band, rows, least, stores
        )
        cycles = sets * columns * interval + ceil_div(rows, band) * lead
        if best_band == 0 or cycles < best:
            best_band, best_interval, best_lead, best = band, interval, lead, cycles
    return best_band, best_interval, best_lead, best
