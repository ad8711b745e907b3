"""Tell from the training images alone at which weights on the KL term the latent units die.

python -m vae_core.collapse --dataset mnist
python -m vae_core.collapse --dataset faces.npz --likelihood gaussian_learned_variance
"""

import argparse
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from vae_core.binarise import binarised
from vae_core.collapse.law import collapse_weights, rare_pixels, units_alive
from vae_core.collapse.moments import moments_of
from vae_core.collapse.pixels import pixel_variance
from vae_core.data import SOURCES, load_dataset
from vae_core.dataset import Dataset
from vae_core.errors import InputError
from vae_core.execution.command import OneLineParser, exit_code
from vae_core.parameters import check_parameters
from vae_core.settings import CHOICES, DEFAULTS, KL_WEIGHTS, check_settings

WIDTH = 80  # characters of the screen
UNITS = 10  # on it
BAR = 40  # characters of the first of them
RARE = 0.01  # distance of a pixel's mean from black or white


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what the law says. Returns 0, 2 for wrong usage, 130 if it was interrupted."""
    return exit_code("collapse", lambda: _say(parser().parse_args(arguments)), "", "nothing was written")


def _say(options: argparse.Namespace) -> int:
    settings = {name: getattr(options, name) for name in ("likelihood", "pixel_variance", "binarise")}
    check_settings(settings)
    for kl_weight in options.kl_weights:
        check_parameters({"kl_weight": kl_weight})
    dataset = binarised(load_dataset(options.dataset), options.binarise)
    print("\n".join(screen(dataset, settings, options.kl_weights)))
    return 0


def screen(dataset: Dataset, settings: dict[str, object], kl_weights: Sequence[float]) -> Iterator[str]:
    """The lines that the command prints, for the settings `likelihood` and `pixel_variance`.

    Raises InputError if the training images are all the same.
    """
    variance = pixel_variance(settings["likelihood"], settings["pixel_variance"])
    found = moments_of(dataset)
    weights = collapse_weights(found, variance)
    if not weights[0]:
        raise InputError(f"{dataset.name}: all training images are the same, so a code has nothing to tell: add others")
    cut = len(weights) < np.prod(dataset.image_shape)
    yield from textwrap.wrap(
        f"{dataset.description}; {len(dataset.train_images):,} training images, likelihood {settings['likelihood']}",
        WIDTH,
    )
    yield ""
    yield "unit   dies at kl_weight"
    for unit, weight in enumerate(weights[:UNITS][weights[:UNITS] > 0], start=1):
        yield f"{unit:>4} {weight:>8.2f}  {'#' * max(1, round(BAR * weight / weights[0]))}"
    yield ""
    yield from _counts(weights, kl_weights, cut)
    yield ""
    if cut:
        yield f"{len(weights)}+ is {len(weights)} or more: no more weights are computed for images of this size."
    if rare := np.sum(rare_pixels(found, RARE)):
        first, second = collapse_weights(found, variance, RARE, count=2)
        without = f"the first two units die at {first:.2f} and {second:.2f}" if first else "no unit can live"
        pixels = f"{rare:,} pixel{'s' if rare > 1 else ''}"
        yield from textwrap.wrap(
            f"Without the {pixels} whose mean is within {RARE:g} of black or white {without}.", WIDTH
        )
    yield from textwrap.wrap(
        f"Above {weights[0]:.2f} a code that says nothing is stable, whatever the network. No model has more units "
        "than its latent_dim. All this is told from the images: nothing was trained.",
        WIDTH,
    )


def _counts(weights: np.ndarray, kl_weights: Sequence[float], cut: bool) -> Iterator[str]:
    """How many units live at each weight, in as many pairs of lines as the screen needs.

    cut: there are more collapse weights than these
    """
    names = [f"{kl_weight:g}" for kl_weight in kl_weights]
    numbers = [units_alive(kl_weight, weights) for kl_weight in kl_weights]
    alive = [f"{number}+" if cut and number == len(weights) else f"{number}" for number in numbers]
    width = max(map(len, names + alive)) + 1
    across = (WIDTH - len("units alive ")) // width
    for start in range(0, len(names), across):
        yield "at kl_weight" + "".join(name.rjust(width) for name in names[start : start + across])
        yield "units alive " + "".join(number.rjust(width) for number in alive[start : start + across])


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
