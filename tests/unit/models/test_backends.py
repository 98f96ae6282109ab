"""The same weights give the same answers under every backend that is installed."""

import importlib.util
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from lib.core import paths

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


@pytest.mark.skipif(len(BACKENDS) < 2, reason=f"of TensorFlow, JAX and PyTorch only {BACKENDS} is installed")
def test_forward_passes_agree(tmp_path):
    for backend in BACKENDS:
        words = [sys.executable, "-m", "tests.unit.models.forward_passes", str(tmp_path)]
        subprocess.run(words, check=True, cwd=paths.ROOT, env={**os.environ, "KERAS_BACKEND": backend})
    first, *others = (np.load(tmp_path / f"{backend}.npz") for backend in BACKENDS)
    for name in first:
        assert first[name].std() > 1e-3, f"{name} answers the same to everything"
        for other in others:
            np.testing.assert_allclose(other[name], first[name], rtol=0, atol=1e-4, err_msg=name)


def test_every_dropout_has_a_seed_so_that_every_backend_draws_from_a_state_that_is_kept():
    used = [call for file in paths.ROOT.glob("lib/**/*.py") for call in re.findall(r"\bDropout\(.*", file.read_text())]
    assert len(used) > 3
    assert [call for call in used if "seed=" not in call] == []
