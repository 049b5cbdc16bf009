"""Entry point of ``python -m cosilico``."""

import os
import signal
import sys

__all__ = ["run"]


def run() -> int:
    """Run the command line; an interrupt ends it from the first instant on."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        # Until the command has its own: loading takes a moment, and would show a traceback.
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
    from cosilico.siblings import require_siblings

    try:
        require_siblings()
    except ImportError as error:
        print(f"cosilico: {error}", file=sys.stderr)
        return 2
    from cosilico.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
