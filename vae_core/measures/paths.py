"""Sequences of images, from one end of a path to the other: how even are their steps?"""

import numpy as np

NO_STEP = 1e-6  # root mean square change of a pixel: below it is nothing but the rounding of float32


def unevenness(paths: np.ndarray) -> np.ndarray:
    """Largest step / mean step of each path; a step is the root mean square change of the pixels.

    It is 1 if all steps are equal, and where the mean step is below NO_STEP: nothing changes there.

    paths: (N, steps, ...), a sequence of images each
    returns: (N,), 1 or more
    """
    changes = np.square(np.diff(paths, axis=1)).reshape(len(paths), paths.shape[1] - 1, -1)
    steps = np.sqrt(changes.mean(axis=2))  # (N, steps - 1)
    mean = steps.mean(axis=1)
    return np.where(mean < NO_STEP, 1.0, steps.max(axis=1) / np.maximum(mean, NO_STEP))
