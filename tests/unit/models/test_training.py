import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from lib.core import paths, runtime
from lib.core.config import SettingsError
from lib.core.jobs import JobError
from lib.models import training

X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
Y = (X[:, :1] > 0).astype(np.float32)
VALIDATION = (X[:16], Y[:16])
# Labels turned round: the better the training goes, the worse the validation loss.
OPPOSED = (X[:16], 1 - Y[:16])


class _Counted(keras.layers.Dense):
    """Counts how often it is traced."""

    traces = 0

    def call(self, inputs):
        _Counted.traces += 1
        return super().call(inputs)


def _build():
    model = keras.Sequential([keras.Input((4,)), _Counted(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    return model


def _model(seed=0):
    return training.network("training test", _build, seed)


def _fit(model, validation=VALIDATION, y=Y, epochs=4, **options):
    return training.fit(model, X, y, validation, SimpleNamespace(epochs=epochs, batch_size=16), 0, **options)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_kept_epoch_is_that_of_least_validation_loss_or_the_last(keep):
    model = _model()
    history = _fit(model, OPPOSED, epochs=6, keep=keep)
    assert history.epoch.tolist() == [1, 2, 3, 4, 5, 6]
    assert history.kept.sum() == 1
    assert history.val_loss.idxmin() < 5, "the case shows nothing if the last epoch is the best"
    assert history.kept.idxmax() == (history.val_loss.idxmin() if keep == "best" else 5)
    assert model.evaluate(*OPPOSED, verbose=0) == pytest.approx(history.val_loss[history.kept.idxmax()], rel=1e-4)


def test_patience_ends_a_training_without_gain():
    history = _fit(_model(), OPPOSED, epochs=30, patience=3)
    assert len(history) == history.val_loss.idxmin() + 4


def test_a_network_is_traced_once_and_drawn_anew_by_each_seed():
    _fit(_model(0))
    before = _Counted.traces
    same, other = (_fit(_model(seed)) for seed in (0, 1))
    if keras.backend.backend() != "torch":  # which traces nothing
        assert _Counted.traces == before
    assert (same.loss != other.loss).all()
    assert _fit(_model(0)).equals(same)


def test_a_network_used_again_seeds_no_backend(monkeypatch):
    """TensorFlow would forget the compiled kernels of all networks: a second for each training."""
    _model()
    monkeypatch.setattr(keras.utils, "set_random_seed", lambda seed: pytest.fail("seeded"))
    assert _fit(_model(1)).loss.tolist() == _fit(_model(1)).loss.tolist()


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch refuses targets that are no numbers")
def test_a_loss_that_is_no_number_is_the_trainings_result():
    with pytest.raises(JobError, match="not a number"):
        _fit(_model(), None, Y * np.nan, keep="last")


def test_indices_may_repeat_and_leave_out():
    class Seen(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.steps = self.params["steps"]

    seen = Seen()
    _fit(_model(), chosen=np.repeat(np.arange(8), 4), callbacks=[seen])
    assert seen.steps == 2


@pytest.mark.parametrize("damage", ["cut", "other network"])
def test_a_state_that_cannot_be_used_is_set_aside_and_begun_anew(tmp_path, capsys, damage):
    state = tmp_path / "training.state"
    expected = _fit(_model())
    if damage == "cut":
        _fit(_model(), epochs=2, state=state)
        state.write_bytes(state.read_bytes()[:-20])
    else:
        other = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(2), keras.layers.Dense(1, activation="sigmoid")]
        )
        other.compile("adam", "binary_crossentropy")
        _fit(other, epochs=2, state=state)
    assert _fit(_model(), state=state).equals(expected)
    assert (tmp_path / "training.state.damaged").exists()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_unknown_epoch_to_keep_is_refused():
    with pytest.raises(SettingsError, match="unknown keep 'worst'"):
        _fit(_model(), keep="worst")


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_twenty_kills_and_a_network_used_before_change_no_bit(tmp_path):
    """With dropout and augmentation, inside epochs and inside the writing of the state."""
    runtime.seed_everything(0)
    words = [sys.executable, "-m", "tests.unit.models.killed_training", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=paths.ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "{'epoch': 10, 'writing': 10}"
    assert not list(tmp_path.glob("*.damaged")), "it went on, and did not begin anew"
    expected = np.load(tmp_path / "undisturbed.npz")
    for name in ("killed", "second"):
        found = np.load(tmp_path / f"{name}.npz")
        assert set(found) == set(expected)
        for value in expected:
            assert np.array_equal(found[value], expected[value]), (name, value)
