"""What is installed: the locks hold what pyproject.toml asks for, and an installation keeps its repository."""

import importlib.util
import itertools
import os
import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from lib.core import paths

LOCKS = {"tensorflow": "requirements.lock", "jax": "requirements-jax.lock", "torch": "requirements-torch.lock"}
PROJECT = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MACHINES = [
    {
        "python_version": python,
        "python_full_version": f"{python}.7",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": system,
        "platform_machine": machine,
    }
    for python, (system, machine) in itertools.product(
        ("3.11", "3.12", "3.13"), [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")]
    )
]


def _entries(backend):
    """Requirements of a lock, each with its hashes."""
    text = re.sub(r"^ *#.*\n", "", (paths.ROOT / LOCKS[backend]).read_text(encoding="utf-8"), flags=re.MULTILINE)
    for line in text.replace("\\\n", "").splitlines():
        requirement, *hashes = line.split("--hash=")
        yield Requirement(requirement), hashes


def _versions(backend, machine):
    """The version of each package on ``machine``; of each there may be only one."""
    found = [
        (one.name, str(one.specifier).removeprefix("=="))
        for one, _ in _entries(backend)
        if one.marker is None or one.marker.evaluate(machine)
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.mark.parametrize("backend", LOCKS)
def test_every_entry_is_pinned_and_has_hashes(backend):
    entries = list(_entries(backend))
    assert len(entries) > 150
    assert [one for one, _ in entries if not re.fullmatch(r"==[\w.]+", str(one.specifier))] == []
    bad = [one.name for one, sums in entries if not sums or not all(re.fullmatch(r"sha256:\w{64} *", s) for s in sums)]
    assert bad == []


@pytest.mark.parametrize("backend", LOCKS)
def test_locks_hold_what_is_asked_for(backend):
    extras = PROJECT["optional-dependencies"]
    wanted = [Requirement(line) for line in PROJECT["dependencies"] + extras["test"] + extras[backend]]
    for machine in MACHINES:
        versions = _versions(backend, machine)
        found = {one: one.name in versions and one.specifier.contains(versions[one.name]) for one in wanted}
        assert [str(one) for one, good in found.items() if not good] == [], machine
        assert set(LOCKS) & set(versions) == {backend}


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_share_their_versions(backend):
    for machine in MACHINES:
        default, other = _versions("tensorflow", machine), _versions(backend, machine)
        assert {name: other[name] for name in default.keys() & other} == {
            name: default[name] for name in default.keys() & other
        }


def _said(backend, *words):
    done = subprocess.run(
        words, cwd=paths.ROOT, env={**os.environ, "KERAS_BACKEND": backend}, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_an_unknown_backend_is_refused():
    expected = "error: KERAS_BACKEND is mxnet; it can be tensorflow, jax or torch\n"
    assert _said("mxnet", "bash", "run_all.sh", "smoke") == (2, expected)


@pytest.mark.parametrize("backend", LOCKS)
def test_an_environment_without_the_backend_is_not_used(backend):
    status, lacking = _said(backend, sys.executable, "lib/requirements.py")
    assert bool(importlib.util.find_spec(backend)) != (backend in lacking)
    assert status == bool(lacking.strip())


def test_an_installation_without_its_repository_is_refused(tmp_path):
    pytest.importorskip("setuptools", reason="only the TensorFlow environment has setuptools")
    words = ["-m", "pip", "install", "--no-build-isolation", "--no-deps", "--target", tmp_path, paths.ROOT]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        "error: lib reads files of the repository, so install it in place: pip install -e" in done.stdout + done.stderr
    )
    assert list(tmp_path.iterdir()) == []
