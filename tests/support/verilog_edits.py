"""Faults edited into emitted Verilog."""

import re

__all__ = ["edited_module"]


def edited_module(verilog: str, module: str, old: str, new: str) -> str:
    r"""Return a design in which a text of one module is replaced.

    Parameters
    ----------
    verilog : str
        The emitted design.
    module : str
        Name of the module, without prefix and fingerprint.
    old : str
        Regular expression that matches exactly once within the module.
    new : str
        Replacement, with ``\1`` for the first group.
    """
    head = re.search(rf"^module cosilico_{module}_[0-9a-f]{{8}} \(", verilog, re.MULTILINE)
    assert head is not None, module
    begin = head.start()
    end = verilog.index("\nendmodule", begin)
    body, count = re.subn(old, new, verilog[begin:end])
    assert count == 1
    return verilog[:begin] + body + verilog[end:]
