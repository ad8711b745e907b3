"""Imports Keras with its backend quietly; every module that uses Keras imports this one first.

TensorFlow's C++ libraries write log lines (which instructions it uses, that there is no GPU) straight to file
descriptor 2, where TF_CPP_MIN_LOG_LEVEL does not reach them (tensorflow issue 100442), and a notebook records that
descriptor. So the descriptor is turned away for the import and the first look for devices, and for these alone:
an exception still comes through.
"""

import os
from contextlib import contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # whatever keras.json in the home folder says


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


with _without_native_stderr():
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.list_physical_devices()
