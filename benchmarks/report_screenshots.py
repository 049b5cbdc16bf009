"""Screenshots of docs/reference/report.md: pages in Chromium, at three widths, light and dark, as small JPEG.

    make demo
    cosilico compare ds_cnn --space benchmarks/report_space.toml --strategies random,local-search,evolution,hardware+polish --out DIR
    NODE_MODULES=FOLDER/node_modules python benchmarks/report_screenshots.py build/digits DIR

FOLDER is where ``npm install axe-core puppeteer-core`` was run. Prints the faults that the browser sees.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference" / "report"
SCRIPT = Path(__file__).with_name("report_pages.mjs")

KINDS = ("errors", "violations", "small", "cut", "over")
"""Findings of which there must be none."""

_WIDEST_PX = 1280
_QUALITY = 70


def screenshots(run: Path, comparison: Path) -> list[str]:
    """Take the screenshots; return a line for each fault."""
    faults = []
    for name, page in (("run", run / "report.html"), ("side", comparison / "report.html")):
        with tempfile.TemporaryDirectory(prefix="cosilico-") as temporary:
            words = ["node", str(SCRIPT), str(page), "--screenshots", temporary]
            done = subprocess.run(
                words, capture_output=True, text=True, check=True, env=dict(os.environ)
            )
            for finding in json.loads(done.stdout):
                place = f"{page}, {finding['width']} px, {finding['scheme']}"
                faults += [f"{place}: {kind} {finding[kind]}" for kind in KINDS if finding[kind]]
            for picture in sorted(Path(temporary).glob("*.png")):
                *_, width, scheme = picture.stem.split("-")
                if width != "400":
                    small(picture, FOLDER / f"{name}-{width}-{scheme}.jpg")
    return faults


def small(picture: Path, out: Path) -> None:
    """Write a picture as JPEG of at most 1,280 px."""
    image = Image.open(picture).convert("RGB")
    if image.width > _WIDEST_PX:
        image = image.resize((_WIDEST_PX, image.height * _WIDEST_PX // image.width))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=_QUALITY, optimize=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(content.getvalue())


def main() -> int:
    """Take screenshots of the pages of a run and of a comparison."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("comparison", type=Path, help="folder of a comparison")
    words = parser.parse_args()
    faults = screenshots(words.run, words.comparison)
    print("\n".join(faults) or "nothing found")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
