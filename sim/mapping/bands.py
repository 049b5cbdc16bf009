"""Bands: how many rows of depthwise windows are read together, and how long that takes."""

from sim.arrays.geometry import ceil_div, pixel_sets, uses_window
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
    highest = min(band, windows)
    cycles = _interval(kernel_y, kernel_x, stride_y, fresh, pixels, highest, least, stores, lag)
    return cycles, _lead(kernel_y, kernel_x, stride_y, pixels, highest, cycles, stores, first_lag)


@in_place
def _interval(kernel_y, kernel_x, stride_y, fresh, pixels, highest, least, stores, lag):
    """Initiation interval of a band with ``highest`` rows of windows, of each of which ``fresh`` columns are read anew."""
    cycles = max(least, stores, ceil_div(kernel_y * kernel_x, DOT_WIDTH))
    # where windows overlap, the first set reads the most, as others share rows with it; this needs a lag that is not
    # negative, of which each set so far has an equal part
    most = 1 if kernel_y >= stride_y else pixel_sets(highest, pixels)
    for number in range(1, most + 1):
        rows = (min(number * pixels, highest) - 1) * stride_y + kernel_y
        if fresh * rows + lag > number * (cycles - stores):
            cycles = max(cycles, ceil_div(fresh * rows + lag, number) + stores)
    return cycles


@in_place
def _least_lead(kernel_y, kernel_x, stride_y, pixels, highest, cycles, first_lag):
    """Lead of a band if no read gave way to a store.

    It grows by as much with each set but the last, which may have fewer rows.
    """
    lead, most = 0, pixel_sets(highest, pixels)
    low = max(1, most - 1)
    if kernel_x * pixels * stride_y <= cycles:
        low = most = 1
    for number in range(low, most + 1):
        rows = (min(number * pixels, highest) - 1) * stride_y + kernel_y
        lead = max(lead, kernel_x * rows - (number * cycles - first_lag))
    return lead


@in_place
def _lead(kernel_y, kernel_x, stride_y, pixels, highest, cycles, stores, first_lag):
    """Cycles by which a band's first sets end later."""
    lead = 0
    for number in range(1, pixel_sets(highest, pixels) + 1):
        rows = (min(number * pixels, highest) - 1) * stride_y + kernel_y
        needed, end = kernel_x * rows, number * cycles - first_lag
        lead = max(lead, needed - end)
        lacking = 1
        while lacking > 0:
            lacking = needed + stores_met(end + lead, cycles, stores, lead) - (end + lead)
            lead += max(0, lacking)
    return lead


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
    sets = pixel_sets(rows, pixels)
    if not uses_window(kernel_y, kernel_x, stride_x):
        interval = max(least, kernel_y * kernel_x + stores)
        return 1, interval, 0, sets * columns * interval
    fresh = min(kernel_x, stride_x)
    lag, first_lag = _lag(kernel_y, kernel_x, fresh), _lag(kernel_y, kernel_x, kernel_x)
    most = 0
    while most < sets and fits_band(kernel_y, kernel_x, stride_y, stride_x, (most + 1) * pixels):
        most += 1
    best_band, best_interval, best_lead, best = 0, 0, 0, 0
    # more rows are mostly better, and spare others a closer look
    for number in range(most, 0, -1):
        band = number * pixels
        highest = min(band, rows)
        own, first = (lag, first_lag) if band > 1 else (0, 0)
        interval = _interval(
            kernel_y, kernel_x, stride_y, fresh, pixels, highest, least, stores, own
        )
        bands = ceil_div(rows, band)
        if best_band > 0:
            lead = _least_lead(kernel_y, kernel_x, stride_y, pixels, highest, interval, first)
            if sets * columns * interval + bands * lead > best:
                continue
        lead = _lead(kernel_y, kernel_x, stride_y, pixels, highest, interval, stores, first)
        cycles = sets * columns * interval + bands * lead
        if best_band == 0 or cycles <= best:
            best_band, best_interval, best_lead, best = band, interval, lead, cycles
    return best_band, best_interval, best_lead, best
