"""``python -m lib.nas describe "C(64,3) P(1,1) … FC(10)" --input 28 28 1``: layers, shapes, costs."""

import argparse
import sys
from collections.abc import Sequence

from lib.nas.layers import ShapeError
from lib.nas.notation import NotationError, parse
from lib.nas.parameter_counts import describe


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one row a layer; the exit status is 2 for a text or size that makes no network."""
    parser = argparse.ArgumentParser(prog="python -m lib.nas", description="Architectures in the paper's notation.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("describe", help="layers, shapes, parameters and multiply-adds of an architecture")
    command.add_argument("text", help="for example 'C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) F() FC(10)'")
    command.add_argument(
        "--input", nargs=3, type=int, default=(28, 28, 1), metavar=("HEIGHT", "WIDTH", "CHANNELS"), dest="shape"
    )
    given = parser.parse_args(arguments)
    try:
        architecture = parse(given.text)
        table = describe(architecture, tuple(given.shape))
    except (NotationError, ShapeError) as error:
        print(error, file=sys.stderr)
        return 2
    print(architecture)
    print(table.to_string(formatters=dict.fromkeys(("parameters", "multiply_adds"), "{:,}".format)))
    print(f"canonical hash {architecture.hash}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
