"""Columns of the mapper's two tables, and why a network cannot be mapped."""

from enum import IntEnum

__all__ = ["Failure", "LayerPlan", "TensorPlan"]


class LayerPlan(IntEnum):
    """Columns of the layer plan; addresses and strides in vectors."""

    TILE_Y = 0
    TILE_X = 1
    PASSES_Y = 2
    PASSES_X = 3
    ROUNDS = 4
    CHUNK = 5
    LOADED = 6
    LOADED2 = 7
    IN_ADDRESS = 8
    IN_ROW = 9
    IN_PLANE = 10
    IN_TILE_Y = 11
    IN_TILE_X = 12
    IN2_ADDRESS = 13
    IN2_ROW = 14
    IN2_PLANE = 15
    OUT_ADDRESS = 16
    OUT_ROW = 17
    OUT_PLANE = 18
    PIXELS = 19
    WEIGHT_ROWS = 20
    PARAMETER_ROWS = 21
    BLOCK_ADDRESS = 22
    HALO_TOP = 23
    HALO_BOTTOM = 24
    HALO_LEFT = 25
    HALO_RIGHT = 26
    SPLITS = 27
    SPLIT_TAP_ROWS = 28
    SPLIT_TAP_COLUMNS = 29
    SPLIT_STEPS = 30
    BLOCK_ROWS = 31
    BLOCK_COLUMNS = 32
    IMAGES = 33
    """Images that go through the layer together: all of the program's, or one after another."""
    STORE_ROW = 34
    """First row of the layer's weights in the weight store, -1 where all come from memory."""
    BORDER_TOP = 35
    """Rows at the tile's top that are computed in a block of their own; 0 for none."""
    BORDER_BOTTOM = 36
    """Rows at the tile's bottom that are; 0 for none."""
    STORED_ROWS = 37
    """Rows of the weight store that the layer has."""
    SPREAD = 38
    """PE columns that split the output channel groups; 0 where PE columns split the pixels."""
    SOURCES = 39
    """PE columns whose outputs every PE of their row stores; 0 where the output is tiled."""
    IN_STRIPS = 40
    """Whether the inputs lie in strips."""
    IN_BANK = 41
    """Bank of the input's first channel group."""
    OUT_BANK = 42
    """Bank of the output's first channel group."""
    TABLE_ADDRESS = 43
    """Byte address of the activation table in external memory, behind the weights; 0 where there is none."""

    FACTORS = 44
    """Whether the weights are a tensor's values."""


class TensorPlan(IntEnum):
    """Columns of the tensor plan; ``ADDRESS`` is the tile's first pixel in local memory."""

    TILE_Y = 0
    TILE_X = 1
    HALO_TOP = 2
    HALO_BOTTOM = 3
    HALO_LEFT = 4
    HALO_RIGHT = 5
    ADDRESS = 6
    ROW = 7
    PLANE = 8
    RESIDENT_UNTIL = 9
    STORED = 10
    EXTERNAL = 11
    PIXEL_BYTES = 12
    STRIPS = 13
    """Whether every PE of a row holds the whole width of the image."""
    BANK = 14
    """Bank of the first channel group in local memory."""
    JOINED = 15
    """Whether the parts of a concatenation lie together in local memory; 0 of other tensors."""
    IMAGE_GROUPS = 16
    """Channel groups from an image's tensor to the next image's in external memory."""
    PIECES = 17
    """STOREs of a tile, no fewer than there are: several of a mosaic's part."""


class Failure(IntEnum):
    """Why a network cannot be mapped."""

    NONE = 0
    WEIGHTS = 1
    TILE = 2
    FIELD = 3
    DESCRIPTORS = 4
    APART = 5
    """Parts of a concatenation cannot lie together; the mapper tries again with them apart."""

    BUS = 6
    """A tensor whose values are weights needs vectors as wide as the bus."""
