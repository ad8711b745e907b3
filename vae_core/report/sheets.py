"""From finished run folders to the tables and sheets of a sweep. Trains nothing."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Image, Markdown
from matplotlib.figure import Figure

from vae_core.errors import InputError
from vae_core.figures import panels
from vae_core.figures import sweep as sheets
from vae_core.figures.collapse import collapse
from vae_core.figures.files import save_animation, save_figure
from vae_core.figures.labels import evenly, weight_names
from vae_core.figures.panels import shown_codes, shown_dimensions
from vae_core.figures.plane import rate_distortion
from vae_core.figures.style import covering_square
from vae_core.latent import mean_rates, share_within
from vae_core.network_file import read_network
from vae_core.report.diverged import diverged, diverged_runs, sound
from vae_core.report.tables import collapse_weights, loss_table, loss_table_page, ranked_rates
from vae_core.runs import Latent, Runs, read_dataset, read_history, read_latent, replace_file

SHEETS = (
    *("rate_distortion", "latent_scatters", "posterior_ellipses", "decoder_manifolds", "decoder_manifolds_quantiles"),
    *("decoder_manifolds_occupied", "samples", "rate_split", "dimensions", "loss_curves"),
)
TRAVERSALS = "traversals"  # a sheet where a latent space has more than two dimensions
ANIMATIONS = ("weights", "epochs")
PANELS = 12  # on a sheet of codes or images, or frames of the animation over the weights
TRAVERSED = 4  # weights on the sheet of traversals
TRAVERSALS_SHOWN = 10  # dimensions of each
WINDOWS = {  # a grid of `Latent`: its axes there, and what the sheet says of it
    "manifold": ("axes", "on [-3, 3]"),
    "manifold_quantiles": ("quantiles", "at the prior's quantiles"),
    "manifold_occupied": ("occupied", "over the region that the codes occupy, each on its own axes"),
}


def write_tables(sweep_dir: Path, runs: Runs) -> None:
    """Write summary.csv, one row per run, and the loss table, one row per weight; each file whole or not at all."""
    summary = runs.table().assign(diverged=diverged(runs.measures))
    replace_file(sweep_dir / "summary.csv", summary.to_csv(index=False))
    replace_file(sweep_dir / "loss_table.csv", loss_table(runs).to_csv(index=False))
    replace_file(sweep_dir / "loss_table.md", loss_table_page(runs))


def draw_sheets(sweep_dir: Path, runs: Runs) -> None:
    """Draw the tables of all seeds, then one panel, line or frame per weight, from its first seed.

    Runs that have diverged are in none of them. Of more than twelve weights twelve have a panel and a frame.
    """
    runs = _drawable(runs)
    if not runs.folders:
        return
    losses = loss_table(runs)
    _save_sheet(sweep_dir, "rate_distortion", rate_distortion(runs, _curve(sweep_dir)))
    if {"mutual_information", "marginal_kl"} <= set(runs.measures):  # no run has one that was not finite
        _save_sheet(sweep_dir, "rate_split", sheets.rate_split(losses, np.log(runs.measures["images"].iloc[0])))
    active = runs.by_seed()["active_units"]
    _save_sheet(sweep_dir, "dimensions", collapse(active, ranked_rates(runs), collapse_weights(runs)))
    shown = runs.first_of_each_weight()
    _save_sheet(sweep_dir, "loss_curves", _loss_curves(shown))
    title, latents = _source(shown) + _choice(shown), _read_latents(shown)
    if latents is None:
        return
    class_names = _class_names(shown)
    _save_sheet(sweep_dir, "latent_scatters", _latent_scatters(latents, class_names, title))
    ellipses = panels.posterior_ellipses(latents, class_names, f"Codes of the test images: {title}{_plane(latents)}")
    _save_sheet(sweep_dir, "posterior_ellipses", ellipses)
    for grid in WINDOWS:
        name = grid.replace("manifold", "decoder_manifolds")
        _save_sheet(sweep_dir, name, _decoder_manifolds(latents, grid, title))
    if all(latent.mean.shape[1] > 2 for latent in latents.values()):
        _save_sheet(sweep_dir, TRAVERSALS, _traversals(latents, _source(shown)))
    drawn = {kl_weight: (latent.prior_samples, latent.mixture_samples) for kl_weight, latent in latents.items()}
    words = _sample_words(losses.set_index("kl_weight"), drawn)
    samples = panels.samples(drawn, words, f"Samples, by kl_weight; images: {title}; scores: all seeds")
    _save_sheet(sweep_dir, "samples", samples)
    _animate(sweep_dir, latents, shown)


def draw_lesson_sheets(sweep_dir: Path, runs: Runs) -> None:
    """Draw what the runs of every notebook have.

    The sheets compare weights, so one weight has none: its run folder shows it. The planes of codes and of decoded
    images are drawn where the latent space is a plane.
    """
    runs = _drawable(runs)
    shown = runs.first_of_each_weight()
    if len(shown.folders) <= 1:
        return
    _save_sheet(sweep_dir, "rate_distortion", rate_distortion(runs))
    _save_sheet(sweep_dir, "loss_curves", _loss_curves(shown))
    title, latents = _source(shown) + _choice(shown), _read_latents(shown)
    if latents and all(latent.manifold is not None for latent in latents.values()):
        _save_sheet(sweep_dir, "latent_scatters", _latent_scatters(latents, _class_names(shown), title))
        _save_sheet(sweep_dir, "decoder_manifolds", _decoder_manifolds(latents, "manifold", title))


def sheet(sweep_dir: Path, name: str) -> Image | Markdown:
    """A sheet for a notebook; where there is none, a sentence that says why."""
    path = sweep_dir / f"{name}.png"
    if path.exists():
        return Image(path)
    if name == TRAVERSALS:
        return Markdown("*There is no sheet of single dimensions: there are two at most, or a latent.npz is missing.*")
    return Markdown(f"*{name}.png is not there: its runs have diverged, or lack measures or latent.npz files.*")


def _save_sheet(sweep_dir: Path, name: str, figure: Figure) -> None:
    save_figure(sweep_dir / f"{name}.png", figure)


def _drawable(runs: Runs) -> Runs:
    """The runs that have not diverged; a message names the others."""
    if names := diverged_runs(runs):
        print(f"diverged, and so in no figure: {names}", file=sys.stderr)
    return sound(runs)


def _curve(sweep_dir: Path) -> pd.DataFrame | None:
    """Of the one network for every weight, where the sweep has one; a damaged one is told and left out."""
    try:
        network = read_network(sweep_dir)
    except InputError as error:
        print(error, file=sys.stderr)
        return None
    return network and network.curve


def _source(shown: Runs) -> str:
    seeds = ", ".join(map(str, sorted(shown.settings["seed"].unique())))
    return f"{shown.settings['dataset'].iloc[0]}, seed {seeds}"


def _choice(shown: Runs) -> str:
    """What titles say where not all weights have a panel."""
    weights = len(shown.folders)
    return f", {PANELS} of {weights} weights" if weights > PANELS else ""


def _class_names(shown: Runs) -> tuple[str, ...]:
    return read_dataset(shown.folders[0]).class_names


def _by_weight(shown: Runs) -> dict[float, Path]:
    return dict(zip(shown.settings["kl_weight"], shown.folders, strict=True))


def with_panels(shown: Runs) -> Runs:
    """At most twelve of the weights, evenly spread, with both ends and the one that is nearest to 1."""
    rows = evenly(len(shown.folders), PANELS)
    nearest = (shown.settings["kl_weight"] - 1).abs().argmin()
    if nearest not in rows:
        rows[1 + np.abs(rows[1:-1] - nearest).argmin()] = nearest
    return shown.take(rows)


def _read_latents(shown: Runs) -> dict[float, Latent] | None:
    """The arrays of each weight that has a panel; None, and a message, if one of their runs has none."""
    shown = with_panels(shown)
    if not all((folder / "latent.npz").exists() for folder in shown.folders):
        print("sheets of codes and images are not redrawn: not every run has its latent.npz", file=sys.stderr)
        return None
    return {kl_weight: read_latent(folder) for kl_weight, folder in _by_weight(shown).items()}


def _loss_curves(shown: Runs) -> Figure:
    histories = {kl_weight: read_history(folder) for kl_weight, folder in _by_weight(shown).items()}
    return sheets.loss_curves(histories, f"Losses on the validation images: {_source(shown)}")


def _plane(latents: Mapping[float, Latent]) -> str:
    """What titles say of codes where a plane is not the whole latent space."""
    whole = all(latent.mean.shape[1] <= 2 for latent in latents.values())
    return "" if whole else "\nin the plane of the two dimensions with the highest rates of each run"


def _latent_scatters(latents: Mapping[float, Latent], class_names: tuple[str, ...], title: str) -> Figure:
    return panels.latent_scatters(latents, class_names, f"Codes of the test images: {title}{_plane(latents)}")


def _decoder_manifolds(latents: Mapping[float, Latent], grid: str, title: str) -> Figure:
    axes_name, where = WINDOWS[grid]
    manifolds = {}
    for kl_weight, latent in latents.items():
        axes = getattr(latent, axes_name)
        manifolds[kl_weight] = (getattr(latent, grid), axes, share_within(shown_codes(latent), axes))
    cells = "every second cell" if all(len(axes) == 2 for _, axes, _ in manifolds.values()) else "one dimension"
    fixed = f"{_plane(latents)}, all others at 0" if _plane(latents) else ""
    dimensions = {kl_weight: shown_dimensions(latent) for kl_weight, latent in latents.items()}
    return panels.decoder_manifolds(manifolds, f"Decoded grids {where}\n{cells}: {title}{fixed}", dimensions)


def _traversals(latents: Mapping[float, Latent], source: str) -> Figure:
    """Of at most four weights, and of the dimensions that have the highest rates there."""
    weights, drawn = list(latents), {}
    for kl_weight in (weights[place] for place in evenly(len(weights), TRAVERSED)):
        latent = latents[kl_weight]
        dimensions = latent.traversal_dimensions[:TRAVERSALS_SHOWN]
        rates = mean_rates(latent.mean, latent.log_var)[dimensions]
        names = [f"z[{dimension}]  {rate:.2f}" for dimension, rate in zip(dimensions, rates, strict=True)]
        drawn[kl_weight] = (latent.traversals[:TRAVERSALS_SHOWN], names, latent.traversal_positions)
    title = f"Single dimensions, the highest rate first, in nats/image: {source}"
    return panels.traversals(
        drawn, f"{title}, {len(drawn)} of {len(weights)} weights" if len(drawn) < len(weights) else title
    )


def _sample_words(losses: pd.DataFrame, kl_weights: Iterable[float]) -> dict[float, tuple[str, str]]:
    """What is said of the samples of each weight from the prior and from the mixture; losses: indexed by weight."""
    words = _judged if "prior_classes_mean" in losses else _among_neighbours
    return {
        kl_weight: (words(losses.loc[kl_weight], "prior"), words(losses.loc[kl_weight], "mixture"))
        for kl_weight in kl_weights
    }


def _judged(scores: pd.Series, source: str) -> str:
    classes, confidence = scores[f"{source}_classes_mean"], scores[f"{source}_confidence_mean"]
    return f"{classes:.3g} {'class' if classes == 1 else 'classes'}, judge's confidence {confidence:.2f}"


def _among_neighbours(scores: pd.Series, source: str) -> str:
    """Of images without labels, which have no judge; nothing of runs that lack these measures."""
    names = [name for name in ("precision", "recall") if f"{source}_{name}_mean" in scores]
    return ", ".join(f"{name} {scores[f'{source}_{name}_mean']:.2f}" for name in names)


def _animate(sweep_dir: Path, latents: Mapping[float, Latent], shown: Runs) -> None:
    """weights.gif goes through the weights; epochs.gif through the training at the weight nearest to 1."""
    names, wide = _class_names(shown), covering_square(map(shown_codes, latents.values()))
    titles = [f"kl_weight {name}{_choice(shown)}" for name in weight_names(latents)]
    frames = [panels.weight_frame(*frame, wide, names) for frame in zip(titles, latents.values(), strict=True)]
    save_animation(sweep_dir / "weights.gif", frames, milliseconds=1000)
    kl_weight = min(latents, key=lambda weight: abs(weight - 1))
    title = f"{shown.settings['dataset'].iloc[0]}, kl_weight {kl_weight:g}"
    save_animation(sweep_dir / "epochs.gif", panels.epoch_frames(latents[kl_weight], names, title), milliseconds=700)
