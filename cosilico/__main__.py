"""``python -m cosilico``."""

import sys

from cosilico.cli import main

if __name__ == "__main__":
    sys.exit(main())
