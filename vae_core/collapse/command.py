"""Tell from the training images alone at which weights on the KL term the latent units die.

python -m vae_core.collapse --dataset mnist
python -m vae_core.collapse --dataset faces.npz --likelihood gaussian_learned_variance
"""

import argparse
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from vae_core.binarise import binarised
from vae_core.collapse.law import collapse_weights, units_alive
from vae_core.collapse.moments import moments_of
from vae_core.collapse.pixels import pixel_variance
from vae_core.data import SOURCES, load_dataset
from vae_core.dataset import Dataset
from vae_core.errors import InputError
from vae_core.execution.command import OneLineParser, exit_code
from vae_core.parameters import check_parameters
from vae_core.settings import CHOICES, DEFAULTS, KL_WEIGHTS, check_settings

UNITS = 10  # on the screen
BAR = 40  # characters of the first of them
RARE = 0.01  # distance of a pixel's mean from black or white
MOST_PIXELS = 4096  # of an image: their covariance takes 134 MB


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what the law says. Returns 0, 2 for wrong usage, 130 if it was interrupted."""
    return exit_code("collapse", lambda: _say(parser().parse_args(arguments)), "", "nothing was written")


def _say(options: argparse.Namespace) -> int:
    settings = {name: getattr(options, name) for name in ("likelihood", "pixel_variance", "binarise")}
    check_settings(settings)
    for kl_weight in options.kl_weights:
        check_parameters({"kl_weight": kl_weight})
    dataset = binarised(load_dataset(options.dataset), options.binarise)
    if (pixels := int(np.prod(dataset.image_shape))) > MOST_PIXELS:
        raise InputError(f"images may have {MOST_PIXELS:,} numbers at most, these have {pixels:,}: make them smaller")
    print("\n".join(screen(dataset, settings, options.kl_weights)))
    return 0


def screen(dataset: Dataset, settings: dict[str, object], kl_weights: Sequence[float]) -> Iterator[str]:
    """The lines that the command prints, for the settings `likelihood`, `pixel_variance` and `binarise`."""
    variance = pixel_variance(settings["likelihood"], settings["pixel_variance"])
    found = moments_of(dataset)
    weights = collapse_weights(found, variance)
    common = collapse_weights(found, variance, RARE)
    yield from textwrap.wrap(
        f"{dataset.description}; {len(dataset.train_images):,} training images, likelihood {settings['likelihood']}", 80
    )
    yield ""
    yield "unit   dies at kl_weight"
    for unit, weight in enumerate(weights[:UNITS], start=1):
        yield f"{unit:>4} {weight:>8.2f}  {'#' * max(1, round(BAR * weight / weights[0]))}"
    yield ""
    names = [f"{kl_weight:g}" for kl_weight in kl_weights]
    alive = [str(units_alive(kl_weight, weights)) for kl_weight in kl_weights]
    width = max(map(len, names + alive)) + 1
    yield "at kl_weight" + "".join(name.rjust(width) for name in names)
    yield "units alive " + "".join(number.rjust(width) for number in alive)
    yield ""
    yield from textwrap.wrap(
        f"No model has more units than its latent_dim. Above {weights[0]:.2f} a code that says nothing is stable, "
        f"whatever the network. Without pixels whose mean is within {RARE:g} of black or white the first two units die "
        f"at {common[0]:.2f} and {common[1]:.2f}. All this is told from the images: nothing was trained.",
        80,
    )


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    options = OneLineParser(
        prog="python -m vae_core.collapse",
        description="Tell from the training images alone at which weights on the KL term the latent units die.",
    )
    options.add_argument(
        "--dataset",
        metavar="NAME",
        default="auto",
        help=f"{', '.join(SOURCES)}, or your own images: an .npz or .npy file or a folder of pictures; default: mnist "
        "if it is available, else digits",
    )
    for name in ("likelihood", "binarise"):
        options.add_argument(
            f"--{name}", choices=CHOICES[name], default=DEFAULTS[name], help="as of train_vae; default: %(default)s"
        )
    options.add_argument(
        "--pixel-variance", metavar="V", type=float, default=DEFAULTS["pixel_variance"], help="of gaussian; default: 1"
    )
    options.add_argument(
        "--kl-weights",
        metavar="C",
        type=float,
        nargs="+",
        default=KL_WEIGHTS,
        help="at which to count the living units; default: those of a sweep",
    )
    return options
