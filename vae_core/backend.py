"""Imports Keras on TensorFlow, quietly and with the suite's settings; every module that uses Keras imports this first.

A user's keras.json or KERAS_MAX_EPOCHS would change numbers, or fail in the middle, under the same config.json. So what
they set is set back, also where Keras was imported before.

TensorFlow's C++ libraries write log lines (which instructions it uses, that there is no GPU) straight to file
descriptor 2, where TF_CPP_MIN_LOG_LEVEL does not reach them (tensorflow issue 100442), and a notebook records that
descriptor. So the descriptor is turned away for the import and the first look for devices, and for these alone:
an exception still comes through.
"""

import os
from contextlib import contextmanager

from vae_core.environment import check_backend

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # whatever keras.json in the home folder says
check_backend()


@contextmanager
def _without_native_stderr():
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _use_own_settings() -> None:
    check_backend(keras.config.backend())
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    for limit in ("max_epochs", "max_steps_per_epoch"):
        if hasattr(keras.config, limit):  # older versions have none
            getattr(keras.config, f"set_{limit}")(None)


with _without_native_stderr():
    import keras
    import tensorflow

    tensorflow.config.list_physical_devices()

_use_own_settings()
