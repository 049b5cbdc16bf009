"""Gates of an emitted accelerator: flat, mapped to logic by ABC, its memories kept."""

from pathlib import Path

from hwgen import yosys

__all__ = ["GATES", "gate_netlist"]

GATES = ("AND", "OR", "XOR", "MUX")
"""Gates beside inverters and flip-flops."""


def gate_netlist(verilog: Path, target: Path, top: str) -> dict[str, int]:
    """Write the gates of an emitted accelerator as Verilog; return how many there are of each cell.

    Raises
    ------
    yosys.YosysError
        If the text is not accepted, or a net has no driver or several.
    """
    log = yosys.run(
        [
            f"read_verilog {verilog}",
            f"hierarchy -check -top {top}",
            # `synth`, but for the mapping of memories
            f"synth -flatten -top {top} -run begin:fine",
            "opt -fast -full",
            "opt -full",
            "techmap",
            "opt -fast",
            f"abc -g {','.join(GATES)}",
            "opt -fast",
            "opt_clean -purge",
            "check -assert",
            "stat",
            f"write_verilog -noattr -norename {target}",
        ]
    )
    lines = [line.split() for line in log[log.rindex("Printing statistics") :].splitlines()]
    return {words[1]: int(words[0]) for words in lines if len(words) == 2 and words[1][0] == "$"}
