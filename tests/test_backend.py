"""Whatever a user has set for Keras, the suite computes with its own settings, or says why it cannot."""

import json
import os
import subprocess
import sys

import pytest

from vae_core.environment import check_backend, numeric_settings
from vae_core.errors import InputError

SHOWN = """
def show():
    config = keras.config
    limits = [config.max_epochs(), config.max_steps_per_epoch()]
    print(config.floatx(), config.dtype_policy().name, config.epsilon(), config.image_data_format(), *limits)
"""


def run_python(code: str, **environment) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"} | environment
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_settings_of_keras_are_set_back_even_if_it_was_imported_before(tmp_path):
    settings = {"floatx": "float64", "epsilon": 1e-3, "backend": "jax", "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    code = "import os; os.environ['KERAS_BACKEND'] = 'tensorflow'; import keras" + SHOWN
    code += "show(); import vae_core.backend; show()"
    finished = run_python(code, KERAS_HOME=str(tmp_path), KERAS_MAX_EPOCHS="1", KERAS_MAX_STEPS_PER_EPOCH="2")
    before, after = finished.stdout.splitlines()
    assert before == "float64 float64 0.001 channels_first 1 2"
    assert after == "float32 float32 1e-07 channels_last None None"


def test_another_backend_is_refused_in_a_sentence_before_keras_is_imported():
    finished = run_python("import vae_core.backend", KERAS_BACKEND="jax")
    assert finished.returncode == 1
    expected = "vae_core.errors.InputError: Keras is to run on jax, but this suite needs TensorFlow"
    assert finished.stderr.splitlines()[-1].startswith(expected)


@pytest.mark.parametrize("name", ["jax", "torch", "tensorflwo"])
def test_the_backend_that_is_not_tensorflow_is_named(name, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", name)
    for check in (check_backend, lambda: check_backend(name)):
        with pytest.raises(InputError, match=f"on {name}, but .* set KERAS_BACKEND=tensorflow"):
            check()


@pytest.mark.parametrize("name", [None, "", "tensorflow"])
def test_tensorflow_and_no_choice_are_right(name, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if name is not None:
        monkeypatch.setenv("KERAS_BACKEND", name)
    check_backend()


def test_what_the_arithmetic_depends_on_is_recorded_and_nothing_else(monkeypatch):
    for name in numeric_settings():
        monkeypatch.delenv(name)
    for name in ("XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL", "TF_VAR_password"):
        monkeypatch.setenv(name, "1")
    assert numeric_settings() == {"TF_ENABLE_ONEDNN_OPTS": "1", "XLA_FLAGS": "1"}
