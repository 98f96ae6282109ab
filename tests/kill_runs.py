"""A smoke run that is killed again and again ends with the tables of an undisturbed one.

``python -m tests.kill_runs [--kills 20] [--only NOTEBOOK …]``: compares with the tables of ``artifacts/smoke``, which
``./run_all.sh smoke`` has made.  Each kill takes the driver, a kernel or a worker process at a random moment.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from lib.core import paths

LONGEST = 18  # seconds after which a run is killed, at most: time to start a kernel and to do a few jobs


def killed_run(command: list[str], environment: dict[str, str], chance: random.Random, log) -> str:
    """Start a run and kill one of its processes; what was killed, or "" if the run had ended before."""
    run = psutil.Popen(command, cwd=paths.ROOT, env=environment, stdout=log, stderr=log)
    with suppress(psutil.TimeoutExpired):
        run.wait(chance.uniform(1, LONGEST))
        return ""
    with suppress(psutil.NoSuchProcess):
        victim = chance.choice([run, *run.children(recursive=True)])
        kind = "driver" if victim.pid == run.pid else "kernel or worker"
        victim.send_signal(signal.SIGKILL)
        run.wait(120)  # a driver whose kernel died ends by itself
        return kind
    return ""


def orphans(marker: str) -> list[psutil.Process]:
    """Processes of the killed runs that are still alive; a kernel looks for its parent once a second."""
    every = psutil.process_iter(["environ"])
    return [one for one in every if (one.info["environ"] or {}).get("PAPER_ARTIFACTS") == marker]


def tables(folder: Path, names: list[str]) -> dict[str, bytes]:
    found = [path for name in names for path in sorted((folder / name).glob("*.csv")) if "timing" not in path.name]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kill_runs", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments and the processes that are killed")
    parser.add_argument("--only", nargs="+", default=["02_unet", "03_classifier", "06_nas"])
    options = parser.parse_args()
    chance, kills = random.Random(options.seed), {}
    command = [sys.executable, "-m", "lib.pipeline.driver", "smoke", "--only", *options.only]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as artifacts, open(Path(artifacts) / "log", "w") as log:
        environment = {**os.environ, "PAPER_ARTIFACTS": artifacts}
        rounds = 0
        while sum(kills.values()) < options.kills:
            if kind := killed_run(command, environment, chance, log):
                kills[kind] = kills.get(kind, 0) + 1
            else:  # it was quicker than its killer: from the beginning
                rounds += 1
                compare(Path(artifacts), options.only)
                shutil.rmtree(Path(artifacts) / "smoke")
        if subprocess.run(command, cwd=paths.ROOT, env=environment, stdout=log, stderr=log).returncode:
            print(Path(log.name).read_text()[-2000:], file=sys.stderr)
            return 1
        compare(Path(artifacts), options.only)
        time.sleep(2)
        if left := orphans(artifacts):
            print(f"processes are left of killed runs: {[one.cmdline() for one in left]}", file=sys.stderr)
            return 1
    print(f"{kills} killed in {rounds + 1} runs, all tables as undisturbed ({time.monotonic() - began:.0f} s)")
    return 0


def compare(artifacts: Path, names: list[str]) -> None:
    undisturbed = tables(paths.ROOT / "artifacts" / "smoke" / "figures", names)
    found = tables(artifacts / "smoke" / "figures", names)
    different = [name for name in undisturbed.keys() | found.keys() if undisturbed.get(name) != found.get(name)]
    if different or not found:
        raise SystemExit(f"tables differ from those of an undisturbed run: {sorted(different)}")


if __name__ == "__main__":
    sys.exit(main())
