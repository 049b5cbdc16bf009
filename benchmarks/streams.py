"""Cycles of a warm run and of each image of a stream, and what EXECUTE needs of them.

python benchmarks/streams.py [NETWORK ...] [--accelerator edge]
"""

import argparse

import cosilico


def main() -> None:
    """Print a row for every network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=["mobilenet_v2", "efficientnet_lite0"])
    parser.add_argument("--accelerator", default="edge")
    arguments = parser.parse_args()
    print("| network | warm | EXECUTE busy | each of a stream |")
    print("|---|---:|---:|---:|")
    for name in arguments.networks:
        run = cosilico.predict(name, arguments.accelerator)
        stream = "none" if run.stream_cycles is None else f"{run.stream_cycles:,}"
        print(f"| {name} | {run.cycles:,} | {run.prediction.execute_busy:,} | {stream} |")


if __name__ == "__main__":
    main()
