"""Made-up pictures in place of your own: bars that lie, stand, rise and fall, with noise.

Run as ``python examples/own_data/make_pictures.py [DIR]``; writes ``pictures.npz`` with ``x``,
uint8[N, 12, 12], and ``y``, int64[N].
"""

import sys
from pathlib import Path

import numpy as np

COUNT = 500
SIDE = 12
CLASSES = 4


def main() -> None:
    """Write the file into a folder, which is made if need be."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    y = random.integers(CLASSES, size=COUNT)
    x = random.integers(0, 90, (COUNT, SIDE, SIDE))
    for picture, kind in zip(x, y, strict=True):
        draw(picture, int(kind), int(random.integers(2, SIDE - 2)))
    np.savez_compressed(folder / "pictures.npz", x=x.astype(np.uint8), y=y)


def draw(picture: np.ndarray, kind: int, place: int) -> None:
    """Draw a bar of a kind into a picture, in place."""
    steps = np.arange(SIDE)
    middle = np.full(SIDE, place)
    rows, columns = ((middle, steps), (steps, middle), (steps[::-1], steps), (steps, steps))[kind]
    picture[rows, columns] = 220


if __name__ == "__main__":
    main()
