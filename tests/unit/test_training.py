import signal
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pandas as pd
import pytest

from lib.core import paths, runtime
from lib.models import training

X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
Y = (X[:, :1] > 0).astype(np.float32)
VALIDATION = (X[:16], Y[:16])
# Labels turned round: the better the training goes, the worse the validation loss.
OPPOSED = (X[:16], 1 - Y[:16])


def _model(rate=0.05):
    runtime.seed_everything(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


def _fit(model, validation=VALIDATION, **changes):
    settings = {"epochs": 4, "batch_size": 16, "seed": 0, **changes}
    return training.fit(model, X, Y, validation, **settings)


def test_history_and_kept_epoch():
    model = _model()
    history = _fit(model)
    assert history.epoch.tolist() == [1, 2, 3, 4]
    assert history.kept.sum() == 1
    assert history[history.kept].val_loss.item() == history.val_loss.min()
    assert model.evaluate(*VALIDATION, verbose=0) == pytest.approx(history.val_loss.min(), rel=1e-5)


@pytest.mark.parametrize("with_folder", [True, False])
def test_best_and_last_differ_when_validation_gets_worse(tmp_path, with_folder):
    folder = tmp_path if with_folder else None
    best, last = _model(), _model()
    history = _fit(best, OPPOSED, epochs=6, folder=folder)
    _fit(last, OPPOSED, epochs=6, keep="last")
    assert history.val_loss.idxmin() < 5, "the case shows nothing if the last epoch is the best"
    assert best.evaluate(*OPPOSED, verbose=0) == pytest.approx(history.val_loss.min(), rel=1e-4)
    assert last.evaluate(*OPPOSED, verbose=0) == pytest.approx(history.val_loss.iloc[-1], rel=1e-4)


def test_same_seed_same_weights():
    models = [_model() for _ in range(2)]
    for model in models:
        _fit(model)
    assert all(np.array_equal(a, b) for a, b in zip(*(model.get_weights() for model in models), strict=True))


def test_resumes_after_sigkill_in_an_epoch(tmp_path):
    """A process killed in its third epoch leaves two; the next call trains the rest and keeps the overall best."""
    code = f"""
        import os, signal
        import keras
        from pathlib import Path
        from tests.unit.test_training import OPPOSED, _fit, _model
        model = _model()
        class Kill(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 2:
                    os.kill(os.getpid(), signal.SIGKILL)
        fit = model.fit
        model.fit = lambda *a, callbacks, **k: fit(*a, callbacks=[*callbacks, Kill()], **k)
        _fit(model, OPPOSED, epochs=6, folder=Path({str(tmp_path)!r}))
    """
    words = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=paths.ROOT)
    assert done.returncode == -signal.SIGKILL, done.stderr
    before = pd.read_csv(tmp_path / "history.csv")
    assert len(before) == 2

    model = _model()
    history = _fit(model, OPPOSED, epochs=6, folder=tmp_path)
    assert history.epoch.tolist() == [1, 2, 3, 4, 5, 6]
    assert history.val_loss[:2].tolist() == before.val_loss.tolist()
    assert history.val_loss.idxmin() < 2, "the best epoch lies before the kill, and must survive it"
    assert model.evaluate(*OPPOSED, verbose=0) == pytest.approx(history.val_loss.min(), rel=1e-4)


def test_a_finished_training_is_not_repeated(tmp_path):
    first = _model()
    history = _fit(first, folder=tmp_path)
    second = _model()
    assert _fit(second, folder=tmp_path).equals(history)
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))
    training.forget(tmp_path)
    assert not tmp_path.exists()


def test_unknown_keep():
    with pytest.raises(ValueError, match="keep must be one of"):
        _fit(_model(), keep="worst")
