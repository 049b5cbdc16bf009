"""A library of five standard cells, each with the same delay under any load."""

__all__ = [
    "BUFFER",
    "CLOCK_TO_Q",
    "INVERTER",
    "LIBRARY",
    "MULTIPLEXER",
    "SETUP",
    "arc",
    "table",
]

SETUP, CLOCK_TO_Q, INVERTER, BUFFER, MULTIPLEXER = 0.05, 0.3, 0.1, 0.15, 0.2


def table(kind: str, value: float) -> str:
    return f'{kind} (scalar) {{ index_1 ("0"); index_2 ("0"); values ("{value}"); }}'


def arc(pin: str, delay: float, sense: str, kind: str = "combinational") -> str:
    tables = table("cell_rise", delay) + table("cell_fall", delay)
    tables += table("rise_transition", 0.01) + table("fall_transition", 0.01)
    return (
        f'timing () {{ related_pin : "{pin}"; timing_type : {kind}; '
        f"timing_sense : {sense}; {tables} }}"
    )


def cell(name: str, inputs: str, function: str, delay: float, sense: str, area: float) -> str:
    pins = "".join(f"pin ({pin}) {{ direction : input; capacitance : 1; }}" for pin in inputs)
    arcs = "".join(arc(pin, delay, sense) for pin in inputs)
    return (
        f"cell ({name}) {{ area : {area}; {pins} pin (Z) {{ direction : output; "
        f'max_capacitance : 8; function : "{function}"; {arcs} }} }}'
    )


SETUP_TABLES = table("rise_constraint", SETUP) + table("fall_constraint", SETUP)
FLIP_FLOP = (
    'cell (DFF_X1) { area : 4; ff ("IQ", "IQN") { next_state : "D"; clocked_on : "CK"; } '
    "pin (CK) { direction : input; capacitance : 1; clock : true; } "
    "pin (D) { direction : input; capacitance : 1; "
    f'timing () {{ related_pin : "CK"; timing_type : setup_rising; {SETUP_TABLES} }} }} '
    'pin (Q) { direction : output; max_capacitance : 8; function : "IQ"; '
    f"{arc('CK', CLOCK_TO_Q, 'non_unate', 'rising_edge')} }} }}"
)
CELLS = (
    FLIP_FLOP,
    cell("INV_X1", "A", "!A", INVERTER, "negative_unate", 1),
    cell("BUF_X1", "A", "A", BUFFER, "positive_unate", 2),
    cell("NAND2_X1", "AB", "!(A B)", INVERTER, "negative_unate", 1),
    cell("MUX2_X1", "ABS", "(A !S)+(B S)", MULTIPLEXER, "non_unate", 3),
)
LIBRARY = 'library (five) { time_unit : "1ns"; /* by hand */\n' + "\n".join(CELLS) + "\n}\n"
