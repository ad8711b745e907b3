"""Numbers with their uncertainty, under the names and in the words that measures.json and the tables use."""

import numpy as np


def with_error(**per_image: np.ndarray) -> dict[str, float]:
    """The mean of each measure over the images, and as <name>_se its standard error; each (N,)."""
    result = {}
    for name, values in per_image.items():
        values = np.asarray(values, np.float64)
        result |= {name: float(values.mean()), f"{name}_se": float(values.std(ddof=1) / np.sqrt(len(values)))}
    return result


def numbered(prefix: str, values: np.ndarray) -> dict[str, float]:
    """One measure per latent dimension: <prefix>0, <prefix>1, ..."""
    return {f"{prefix}{i}": float(value) for i, value in enumerate(values)}


def mean_and_spread(mean: float, std: float, decimals: int = 2) -> str:
    """mean ± standard deviation; the mean alone where there is no deviation, a dash where there is no mean."""
    if np.isnan(mean):
        return "-"
    return f"{mean:z.{decimals}f}" if np.isnan(std) else f"{mean:z.{decimals}f} ± {std:.{decimals}f}"
