"""The five standard cells with energies: some of each kind, the same at any slew and load."""

from five_cells import LIBRARY, SETUP_TABLES, table

__all__ = [
    "CHANGING",
    "CHARGE",
    "FALL",
    "HIDDEN",
    "LEAKAGE",
    "POWERED",
    "RISE",
    "STATE_FALL",
    "STATE_RISE",
    "STEADY",
]

CHARGE = 0.5
"""Energy of a change of one pin: of 1 fF at 1 V, half."""

RISE, FALL = 0.75, 0.25
"""Internal energy of an output of any gate."""

STATE_RISE, STATE_FALL, HIDDEN = 10.0, 20.0, 2.0
"""Energies of a flip-flop's output, and of its data pin."""

STEADY, CHANGING = 1.0 + 2.0, 0.0 + 5.0
"""Energies of its clock, both edges: where its state stays, and where it changes."""

LEAKAGE = 3.0


def _power(rise: float, fall: float, condition: str = "") -> str:
    when = f'when : "{condition}"; ' if condition else ""
    return f"internal_power () {{ {when}{table('rise_power', rise)} {table('fall_power', fall)} }}"


_CLOCK = "".join(
    _power(rise, fall, condition)
    for condition, rise, fall in (
        ("D & Q", 1.0, 2.0),
        ("!D & !Q", 1.0, 2.0),
        ("D & !Q", 0.0, 5.0),
        ("!D & Q", 0.0, 5.0),
    )
)
_HEAD = (
    'library (five) { nom_voltage : 1.0; capacitive_load_unit (1,ff); leakage_power_unit : "1nW";'
)

POWERED = (
    LIBRARY.replace("library (five) {", _HEAD)
    .replace("area :", f"cell_leakage_power : {LEAKAGE}; area :")
    .replace("clock : true;", f"clock : true; {_CLOCK}")
    .replace('function : "IQ";', f'function : "IQ"; {_power(STATE_RISE, STATE_FALL)}')
    .replace(f"{SETUP_TABLES} }}", f"{SETUP_TABLES} }} {_power(HIDDEN, HIDDEN)}")
    .replace(
        'timing () { related_pin : "A"; timing_type : combinational;',
        f'{_power(RISE, FALL)} timing () {{ related_pin : "A"; timing_type : combinational;',
    )
)
"""Text of the library. Energies of a gate are at its first input."""
