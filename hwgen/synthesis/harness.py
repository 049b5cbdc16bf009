"""Harness around a module: registers at all of its ports, which need two pins."""

import re

__all__ = ["HARNESS", "INSTANCE", "harness_text"]

HARNESS = "routed"
"""Name of the harness's module."""

INSTANCE = "dut"
"""Name of the module's instance in it."""

_CLOCKS = ("clk", "aclk")
_PORT = re.compile(r"^\s*(input|output)\s+(?:reg\s+)?(?:\[(\d+):0\]\s*)?(\w+)", re.MULTILINE)


def harness_text(module: str, text: str) -> str:
    """Verilog of a module that has another between registers, with a clock and a pin for data in and out.

    Inputs come from a shift register. Outputs go to a register each, and from there into a chain of
    exclusive ors behind it, one register after the other. Every path of the module then begins and ends at a register
    beside it, however many ports it has, and nothing of it can be left out.

    Parameters
    ----------
    module : str
    text : str
        Verilog with the module, as the project writes it: a port per line.

    Raises
    ------
    ValueError
        If the text does not have the module.
    """
    head = re.search(rf"^module {module}\b[^;]*?\((.*?)\n\s*\);", text, re.MULTILINE | re.DOTALL)
    if head is None:
        raise ValueError(f"text must have module {module}")
    ports = [(way, int(high or 0) + 1, name) for way, high, name in _PORT.findall(head[1])]
    connections = []
    sizes = {"input": 0, "output": 0}
    for way, width, name in ports:
        if name in _CLOCKS:
            connections.append(f".{name}(clk)")
            continue
        low = sizes[way]
        sizes[way] += width
        connections.append(f".{name}({way}s[{low + width - 1}:{low}])")
    first, last = (max(1, size) - 1 for size in (sizes["input"], sizes["output"]))
    return "\n".join(
        (
            f"module {HARNESS}(input clk, input from_pin, output reg to_pin);",
            f"  reg [{first}:0] inputs;",
            f"  wire [{last}:0] outputs;",
            f"  reg [{last}:0] kept;",
            f"  reg [{last + 1}:0] chain;",
            "  always @(posedge clk) begin",
            "    inputs <= {inputs, from_pin};",
            "    kept <= outputs;",
            f"    chain <= {{chain[{last}:0] ^ kept, inputs[{first}]}};",
            f"    to_pin <= chain[{last + 1}];",
            "  end",
            f"  {module} {INSTANCE} ({', '.join(connections)});",
            "endmodule",
            "",
        )
    )
