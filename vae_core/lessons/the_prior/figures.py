"""The prior, and what the KL term charges, as figures. Nothing here draws samples or reads files."""

import numpy as np
from matplotlib.figure import Figure

from vae_core.figures.style import CLASS_COLORS, latent_axes, new_figure, prior_rings, ring_handles


def prior_cloud(z: np.ndarray) -> Figure:
    """Samples of the 2-D prior with its 1- and 2-sigma rings, and the shares within them; z: (N, 2)."""
    radius = np.linalg.norm(z, axis=1)  # (N,)
    shares = ", ".join(f"{np.mean(radius < sigma):.1%} within {sigma} sigma" for sigma in (1, 2))
    figure, axes = new_figure(7.2, 7.2)
    axes.scatter(z[:, 0], z[:, 1], s=5, color=CLASS_COLORS[3], linewidths=0)
    prior_rings(axes)
    latent_axes(axes, (-4.5, 4.5, -4.5, 4.5))
    axes.set_title(f"{len(z):,} samples of the prior N(0, I): {shares}")
    axes.legend(handles=ring_handles(), loc="upper right")
    return figure


def kl_terms(mean: np.ndarray, deviation: np.ndarray, kl_of_mean: np.ndarray, kl_of_deviation: np.ndarray) -> Figure:
    """The KL term of one latent dimension against its mean, at deviation 1, and against its deviation, at mean 0."""
    figure, (left, right) = new_figure(10, 4.2, columns=2, sharey=True)
    left.plot(mean, kl_of_mean, linewidth=2)
    left.set(xlabel="mean of q(z|x), at standard deviation 1", ylabel="KL(q(z|x) || p(z)) [nats]", ylim=(0, None))
    right.plot(deviation, kl_of_deviation, linewidth=2)
    right.set(xlabel="standard deviation of q(z|x), at mean 0", xscale="log")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure
