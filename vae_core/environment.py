"""The user's settings that could change numbers: one is refused, the others are neutralised or recorded.

`vae_core.backend` neutralises those of Keras, the sweep those of Python and of IPython, `figures.style` Matplotlib's.
"""

import os

from vae_core.errors import InputError

# Of TensorFlow, XLA and the libraries that do their arithmetic. They may be wanted, so record.json names them. Not TF_
# alone: Terraform keeps secrets in TF_VAR_....
PREFIXES = (
    *("TF_DETERMINISTIC_", "TF_DISABLE_", "TF_ENABLE_", "TF_NUM_", "TF_USE_", "TF_XLA_", "TF_CUDNN_", "TF_GPU_"),
    *("XLA_", "ONEDNN_", "DNNL_", "MKL_", "OPENBLAS_", "OMP_", "CUDA_VISIBLE_DEVICES", "NVIDIA_TF32_OVERRIDE"),
)


def check_backend(name: str | None = None) -> None:
    """Raise InputError unless Keras runs, or would run, on TensorFlow.

    name: the backend; without it, what KERAS_BACKEND says
    """
    name = name or os.environ.get("KERAS_BACKEND") or "tensorflow"
    if name != "tensorflow":
        raise InputError(f"Keras is to run on {name}, but this suite needs TensorFlow: set KERAS_BACKEND=tensorflow")


def numeric_settings() -> dict[str, str]:
    """The environment variables that are set and that the arithmetic depends on."""
    return {name: os.environ[name] for name in sorted(os.environ) if name.startswith(PREFIXES)}
