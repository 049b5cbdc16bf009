"""Terms used on the page, for readers who know hardware but not this project."""

__all__ = ["STRATEGIES", "TERMS"]

STRATEGIES = {
    "rhnas": "the network by gradient and the accelerator by reinforcement learning, in turns",
    "dna": "network and accelerator by gradient, from hard samples",
    "nahas-joint": "both by a controller; every network that is drawn is trained",
    "nahas-oneshot": "both by a controller, with shared weights and a learned cost model",
    "nahas-phase": "first the accelerator of a given network, then a network for it",
    "two-level": "networks by a controller; those that no accelerator makes fast enough are not trained",
    "certified": "the optimum for a given network, with a proof",
    "hardware": "the agent of rhnas alone, for a given network",
    "amortized": "the answer of an agent that rhnas trained, in a few evaluations",
    "exhaustive": "every accelerator of the space",
    "random, evolution, local-search, tpe, cma-es, nsga-ii": "baselines",
}
"""Strategies by name, with what they do."""

TERMS = {
    "Accelerator, space": "An accelerator is one choice of the generator's parameters; a space is all choices that a search may make.",
    "Budget": "The largest area that the search allows. Unless an experiment says otherwise, it is that of the default.",
    "Cold and warm": "A cold run brings the weights on chip; a warm run finds them in the weight store.",
    "Default": "The accelerator that a space begins with, against which gains are measured.",
    "Descriptor": "A 64-byte command for one of the queues LOAD, EXECUTE and STORE, fetched from external memory.",
    "Doorbell": "The write to a register that starts a run.",
    "Drain": "The end of an EXECUTE descriptor: its last sums pass the requantizer and are written.",
    "Fmax": "Highest clock that static timing of standard cells gives the slowest module.",
    "Found, optimum": "Found is what the search ended with; the optimum is the best accelerator of the space within the budget "
    "for the same network, known by enumeration. With bandwidth free it may have any bandwidth of the space; with bandwidth "
    "pinned it has the default's.",
    "Front": "The designs than which no other is better in one figure and at least as good in the other.",
    "Gateware": "The hardware description from which the Verilog is emitted.",
    "LOAD, EXECUTE, STORE": "Queues of descriptors: LOAD brings data from external memory or from the weight store, EXECUTE "
    "computes, STORE writes results to external memory.",
    "Local memory": "A PE's memory for activations, in one bank for each lane.",
    "MAC": "Multiply-accumulate: one multiplication and the addition of its product.",
    "Mapper": "The part of the compiler that places tensors in memories and divides the work among PEs, lanes and cycles.",
    "PE, lane, SIMD unit": "An accelerator has a grid of PEs (processing elements), written as columns x rows; a PE has lanes, "
    "and a lane has SIMD units; each unit multiplies four pairs of 8-bit numbers per cycle.",
    "Realizable": "The accelerator can be generated, and the network can be compiled for it.",
    "Register file": "A lane's memory for weights, in two halves: one computes while LOAD fills the other. A part of it is for "
    "saved accumulators.",
    "Requantizer": "Turns a 32-bit sum back into an 8-bit activation.",
    "RTL": "Register-transfer level: the Verilog from which a chip is made, simulated clock by clock.",
    "Strategy": "The method of a search. "
    + "; ".join(f"{name}: {text}" for name, text in STRATEGIES.items())
    + ".",
    "View": "A form of the PE grid in simulation: synthesis is the emitted netlist, simulation an equivalent that runs faster.",
    "Weight store": "A memory on chip, beside LOAD, that keeps weights from one run to the next.",
}
"""Terms by name, in alphabetical order, with what they mean."""
