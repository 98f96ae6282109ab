"""``python -m tests.canaries [--bless] [NAME …]``: compare canaries, or commit their present results."""

import argparse
import sys
import tempfile
from pathlib import Path

from lib.core import store
from tests.canaries import compare
from tests.canaries.cases import CASES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.canaries")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}; none: all")
    parser.add_argument("--bless", action="store_true", help="write what comes out as what is to come out")
    options = parser.parse_args()
    if unknown := set(options.names) - set(CASES):
        parser.error(f"no canary is called {sorted(unknown)[0]}: add it to tests/canaries/cases.py")
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or CASES:
            found = compare.result(name, store.Store(Path(folder)))
            file = compare.FOLDER / f"{name}.json"
            if options.bless:
                store.write_json(file, found)
                print(f"{name}: written")
                continue
            lines = compare.differences(name, found)
            print(f"{name}: {'; '.join(lines) or 'as committed'}")
            differ += bool(lines)
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
