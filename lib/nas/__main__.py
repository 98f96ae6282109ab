"""``python -m lib.nas describe "C(64,3) P(1,1) … FC(10)" --input 28 28 1``: layers, shapes, costs."""

import argparse
from collections.abc import Sequence

from lib.nas.layers import NetworkError
from lib.nas.notation import parse


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one row per layer; the exit status is 2 for a text or size that makes no network."""
    parser = argparse.ArgumentParser(prog="python -m lib.nas", description="Architectures in the paper's notation.")
    parser.add_argument("command", choices=["describe"], help="print layers, shapes, parameters and multiply-adds")
    parser.add_argument("text", help="for example 'C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) F() FC(10)'")
    parser.add_argument("--input", nargs=3, type=int, default=(28, 28, 1), metavar=("HEIGHT", "WIDTH", "CHANNELS"))
    parser.add_argument("--out", help="file to draw it into, such as network.svg, .pdf or .png")
    given = parser.parse_args(arguments)
    try:
        architecture = parse(given.text)
        table = architecture.describe(given.input)
    except NetworkError as error:
        parser.error(f"\n{error}")
    if given.out:
        from lib.nas.drawing import draw_networks  # a text needs no pictures

        try:
            draw_networks({"": architecture}, given.input).savefig(given.out)
        except (OSError, ValueError) as error:  # no such folder, no such format
            parser.error(f"{given.out}: {error}")
    print(architecture)
    print(table.to_string(formatters=dict.fromkeys(("parameters", "multiply_adds"), "{:,}".format)))
    print(f"canonical hash {architecture.hash}")


if __name__ == "__main__":
    main()
