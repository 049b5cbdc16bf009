"""Whether Python is starting the command line: asked before anything else is loaded."""

import sys

__all__ = ["is_command"]


def is_command() -> bool:
    """Return whether Python is starting ``cosilico`` or ``python -m cosilico``."""
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":  # until the module has its own path there
        return any(word.partition(".")[0] == "cosilico" for word in sys.orig_argv[1:])
    return program.rpartition("/")[2] == "cosilico"
