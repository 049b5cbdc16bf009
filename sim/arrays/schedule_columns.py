"""Columns of a schedule by name, as the kernels read them, and the values they can hold."""

import numpy as np

from sim.arrays.tables import COLUMNS
from sim.spec.descriptor import FIELDS

QUEUE = COLUMNS["queue"]
WAIT = COLUMNS["wait"]
POST = COLUMNS["post"]
KIND = COLUMNS["kind"]
ADDRESS = COLUMNS["address"]
PE_Y = COLUMNS["pe_y"]
PE_X = COLUMNS["pe_x"]
LOCAL_ADDRESS = COLUMNS["local_address"]
GROUPS = COLUMNS["groups"]
ROWS = COLUMNS["rows"]
COLS = COLUMNS["columns"]
LOCAL_PLANE = COLUMNS["local_plane"]
LOCAL_ROW = COLUMNS["local_row"]
GROUP_STRIDE = COLUMNS["group_stride"]
ROW_STRIDE = COLUMNS["row_stride"]
VECTOR_BEATS = COLUMNS["vector_beats"]
HALF = COLUMNS["half"]
LANES = COLUMNS["lanes"]
LANE_MASK = COLUMNS["lane_mask"]
PARAMETER_ROWS = COLUMNS["parameter_rows"]
WEIGHT_ROWS = COLUMNS["weight_rows"]
STORE = COLUMNS["store"]
STORE_ROW = COLUMNS["store_row"]
OP = COLUMNS["op"]
WAIT_DRAIN = COLUMNS["wait_drain"]
PIXELS = COLUMNS["pixels"]
ACCUMULATOR_ROW = COLUMNS["accumulator_row"]
BANK = COLUMNS["bank"]
OUT_BANK = COLUMNS["out_bank"]
RESTORE = COLUMNS["restore"]
SAVE = COLUMNS["save"]
MAXIMUM = COLUMNS["maximum"]
WINDOW = COLUMNS["window"]
HOLD = COLUMNS["hold"]
BAND_ROWS = COLUMNS["band_rows"]
RING_GAP = COLUMNS["ring_gap"]
ROW_LEAD = COLUMNS["row_lead"]
INTERVAL = COLUMNS["initiation_interval"]
WINDOW_ROWS = COLUMNS["window_rows"]
WINDOW_COLUMNS = COLUMNS["window_columns"]
FIRST_ROW = COLUMNS["first_row"]
FIRST_COLUMN = COLUMNS["first_column"]
TILE_ROWS = COLUMNS["tile_rows"]
TILE_COLUMNS = COLUMNS["tile_columns"]
KERNEL_ROWS = COLUMNS["kernel_rows"]
KERNEL_COLUMNS = COLUMNS["kernel_columns"]
STRIDE_Y = COLUMNS["stride_y"]
STRIDE_X = COLUMNS["stride_x"]
FIRST_QUAD = COLUMNS["first_quad"]
LAST_QUADS = COLUMNS["last_quads"]
IN_ADDRESS = COLUMNS["in_address"]
IN_PLANE = COLUMNS["in_plane"]
IN_ROW = COLUMNS["in_row"]
IN2_ADDRESS = COLUMNS["in2_address"]
IN2_ROW = COLUMNS["in2_row"]
OUT_ADDRESS = COLUMNS["out_address"]
OUT_ROW = COLUMNS["out_row"]
HALO_TOP = COLUMNS["halo_top"]
HALO_BOTTOM = COLUMNS["halo_bottom"]
HALO_LEFT = COLUMNS["halo_left"]
HALO_RIGHT = COLUMNS["halo_right"]
ORIGIN_Y = COLUMNS["origin_y"]
ORIGIN_X = COLUMNS["origin_x"]
PITCH_Y = COLUMNS["pitch_y"]
PITCH_X = COLUMNS["pitch_x"]
BOUND_Y = COLUMNS["bound_y"]
BOUND_X = COLUMNS["bound_x"]
PAD_VALUE = COLUMNS["pad_value"]
ZERO_POINT = COLUMNS["zero_point"]
CLAMP_LOW = COLUMNS["clamp_low"]
CLAMP_HIGH = COLUMNS["clamp_high"]
LAYER = COLUMNS["layer"]
AFTER_LOAD = COLUMNS["after_load"]
AFTER_EXECUTE = COLUMNS["after_execute"]
AFTER_STORE = COLUMNS["after_store"]
AFTER = np.array([AFTER_LOAD, AFTER_EXECUTE, AFTER_STORE], np.int64)
"""Columns of the descriptors that are waited for, by their queues."""
ROUND = COLUMNS["round"]
PASS = COLUMNS["pass"]
IMAGE = COLUMNS["image"]
FINAL = COLUMNS["final"]

WIDTH = len(COLUMNS)
LOCAL_MASK = 0xFFFF
"""Addresses in local memory are taken modulo 2^16."""

_LIMITS = {field.name: (field.low, field.high) for fields in FIELDS.values() for field in fields}
_ANY = (-(1 << 40), 1 << 40)
FIELD_LOW = np.array([_LIMITS.get(name, _ANY)[0] for name in COLUMNS], np.int64)
FIELD_HIGH = np.array([_LIMITS.get(name, _ANY)[1] for name in COLUMNS], np.int64)
"""Smallest and largest encodable value of every column."""
