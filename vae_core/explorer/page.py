"""explorer.html: the latent space of a sweep in a browser, live and offline. No Keras here."""

import base64
import hashlib
import html
import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup  # of Jinja2

from vae_core.binarise import binarised
from vae_core.collapse import law
from vae_core.data import IMAGE_SHAPE, Dataset, load_dataset
from vae_core.errors import InputError
from vae_core.explorer import network as networks
from vae_core.explorer.alignment import ALIKE, likeness, turns, turns_with_network
from vae_core.explorer.colors import PAPERS, readable
from vae_core.explorer.decoder import Decoder, read_decoder, read_pixels
from vae_core.explorer.packing import as_text, deflated, element, packed, unpacked
from vae_core.explorer.questions import questions
from vae_core.explorer.sketch import TEXTS, placing
from vae_core.explorer.texts import ENGLISH
from vae_core.explorer.tour import tour
from vae_core.figures.classes import GREY, MARKERS, told_apart
from vae_core.figures.style import CLASS_COLORS, ONE_COLOR
from vae_core.latent import draw
from vae_core.network_file import OneNetwork
from vae_core.parameters import check_parameters
from vae_core.report.captions import density, minimised, shared_settings
from vae_core.report.diverged import diverged_runs, sound
from vae_core.report.published import notebook_of
from vae_core.report.tables import collapse_weights, loss_table
from vae_core.runs import (
    MODEL_FILES,
    RECORD,
    REFERENCE,
    About,
    Runs,
    fault,
    read_dataset,
    read_latent,
    read_runs,
    replace_file,
    run_folders,
)
from vae_core.settings import DEFAULTS
from vae_core.statistics import mean_and_spread

WANTED = "give the folder of a sweep, such as results/kl_sweep/mnist, or of one run"
TEMPLATE = Path(__file__).parent
SHOWN = 5000  # test images in the page, evenly chosen; of larger ones than MNIST's as many as take no more room
BITS = 14  # per decoder weight: below what a screen's 255 greys can show
SPREAD_BITS = 12  # per log-variance of q(z|x): an ellipse is drawn with it, and the rate has three digits
PRIOR_HALF = 4  # half of the side of the window that fits the prior
GREYS = 15  # levels above black of the original images, and of each colour
EXACT = 255  # where the page encodes them
SAMPLES = 8  # draws from q(z|x) for the distortion of one image
CHECKED = 200  # latent points on which the decoder of the page is compared
LARGEST = 30e6  # bytes of a page that browsers open in a few seconds
MEASURES = ("distortion", "rate", "negative_elbo", "nll", "mutual_information")  # in the page's table
SCRIPTS = (  # in the order in which they are read
    *("payload.js", "texts.js", "decoder.js", "network.js", "models.js", "state.js", "canvas.js", "plane.js"),
    *("gestures.js", "point.js", "beside.js", "strip.js", "samples.js", "slider.js", "play.js", "losses.js"),
    *("sketch.js", "own.js", "questions.js", "tour.js", "picture.js", "page.js"),
)
STYLES = ("explorer.css", "sketch.css")
FRAME = sum((TEMPLATE / name).stat().st_size for name in (*SCRIPTS, *STYLES, "explorer.html"))  # bytes


def write_explorer(sweep_dir: Path, kl_weights: Sequence[float] = ()) -> Path:
    """Write explorer.html into the folder of a sweep. Raises InputError like `explorer_page`."""
    path = sweep_dir / "explorer.html"
    replace_file(path, explorer_page(sweep_dir, kl_weights))
    return path


def explorer_page(sweep_dir: Path, kl_weights: Sequence[float] = ()) -> str:
    """The page: the first seed of each weight that has its codes and its decoder; the losses of all runs.

    `sweep_dir` may also be the folder of one run. Raises InputError if there is nothing to show, as no run of train_vae
    with two latent dimensions or not the images that it was tested on, and for a page above `LARGEST`.

    kl_weights: those to show; empty: all
    """
    sweep_dir = sweep_dir.resolve()
    finished = _finished(sweep_dir)
    about, settings = read_dataset(finished.folders[0]), shared_settings(finished)
    test = _test_images(about, settings)
    gone, finished = diverged_runs(finished), sound(finished)
    if not finished.folders:
        raise InputError(f"{sweep_dir}: every run has diverged ({gone}): use a smaller learning_rate")
    shown, missing = _usable(_of_weights(finished, kl_weights), sweep_dir, len(test.test_images))
    missing += [f"diverged: {gone}"] if gone else []
    most = SHOWN * math.prod(IMAGE_SHAPE) // math.prod(test.image_shape)
    chosen = np.linspace(0, len(test.test_images) - 1, min(SHOWN, most, len(test.test_images))).astype(int)
    images = test.test_images[chosen].reshape(len(chosen), -1)  # (N, pixels)
    table = loss_table(finished).set_index("kl_weight")
    weights = list(shown.settings["kl_weight"])
    network, left_out = networks.network_of(sweep_dir, settings["likelihood"], test)
    missing += left_out
    one_network = [element("network", networks.content(network))] if network else []
    greys = EXACT if network else GREYS
    originals = deflated(np.round(greys * images).astype(np.uint8))
    room = LARGEST - FRAME - len(originals) - sum(map(len, one_network))
    panels, arrays, differences = _panels(shown, table, images, chosen, sweep_dir, room)
    folders = dict(zip(weights, shown.folders, strict=True))
    asked = questions(table.loc[weights], folders, len(test.test_images), test.image_shape[2])
    start = int(np.argmin(np.abs(np.array(weights) - 1)))
    latent = [read_latent(folder) for folder in shown.folders]
    codes = [one.mean[chosen] for one in latent]
    planes, of_network = _planes(codes, start, network, images, weights)
    rates = _rates(latent[start].mean[chosen], latent[start].log_var[chosen])
    looks = _looks(about.class_names)
    far = np.mean(np.abs(latent[start].mean[chosen]).max(axis=1) > PRIOR_HALF) > 0.5
    content = {
        "dataset": about.name,
        "class_names": about.class_names,
        "class_colors": {scheme: [readable(color, paper) for color, _ in looks] for scheme, paper in PAPERS.items()},
        "class_markers": [marker for _, marker in looks],
        "greys": greys,
        "weights": [{**panel, **plane} for panel, plane in zip(panels, planes, strict=True)],
        "start": weights[start],
        "window": "codes" if far else "prior",
        "prior_half": PRIOR_HALF,
        "point": _middle(latent[start].mean[chosen]) if far else [0, 0],
        "runs": finished.table()[["kl_weight", "seed", "rate", "distortion"]].to_dict("records"),
        "collapse": _collapse(finished, test, settings),
        "questions": [asdict(question) for question in asked],
        "tour": [asdict(step) for step in tour(table.loc[weights], weights[start], rates, chosen)],
        "image_shape": test.image_shape,
        "likelihood": settings["likelihood"],
        "network": network and {**networks.about(network), **of_network},
        "placing": placing(about.name),
        "texts": ENGLISH | TEXTS,
    }
    labels = np.maximum(test.test_labels[chosen], 0).astype("<u2" if len(looks) > 256 else np.uint8)
    shown_images = {"images": originals, "labels": deflated(labels), "numbers": deflated(chosen.astype("<u4"))}
    elements = [element("data", content), element("images", shown_images), *one_network]
    elements += [element(f"weight-{index}", one) for index, one in enumerate(arrays)]
    seeds, epochs = sorted(finished.settings["seed"].unique()), finished.settings["epochs"].max()
    return _render(
        elements,
        t=ENGLISH,
        dataset=about.name,
        about=ENGLISH["about"].format(
            description=about.description,
            shown=f"{len(chosen):,}",
            images=f"{len(test.test_images):,}",
            epochs=ENGLISH["epochs" if epochs > 1 else "epoch"].format(number=epochs),
            objective=minimised(settings),
            density=density(settings),
        ),
        missing="; ".join(missing),
        classes=len(about.class_names),
        told_apart=told_apart(about.class_names),
        height=test.image_shape[0],
        width=test.image_shape[1],
        samples=SAMPLES,
        last=len(weights) - 1,
        start=start,
        seeds=ENGLISH["losses.seeds" if len(seeds) > 1 else "losses.one_seed"].format(seeds=", ".join(map(str, seeds))),
        precision=ENGLISH["precision"].format(bits=BITS, points=CHECKED, difference=f"{255 * max(differences):.2f}"),
        slider_help=network and ENGLISH["slider.help"].format(**networks.about(network)),
        network_precision=network and _network_precision(network, images, weights),
    )


def embedded(sweep_dir: Path, height: int) -> HTML:
    """The page inside a notebook, `height` pixels high. Raises InputError like `explorer_page`."""
    check_parameters({"height": height})
    page = html.escape(explorer_page(sweep_dir))
    return HTML(
        f'<div><iframe title="explorer" srcdoc="{page}" style="width: 100%; height: {height}px"></iframe></div>'
    )


def _finished(sweep_dir: Path) -> Runs:
    if not sweep_dir.is_dir():
        raise InputError(f"{sweep_dir} is {'a file' if sweep_dir.exists() else 'not there'}: {WANTED}")
    faults = run_folders(sweep_dir)
    if (sweep_dir / RECORD).exists():  # a run, in a folder of whatever name
        own = fault(sweep_dir)
        faults = {sweep_dir: None} if own is None else faults | {sweep_dir: own}
    folders = [folder for folder, found in faults.items() if found is None]
    if not folders:
        named = "".join(f"; {folder.name}: {found}" for folder, found in faults.items())
        raise InputError(f"{sweep_dir} has no finished run{named}: {WANTED}")
    if notebook_of(folders[0]) != REFERENCE:
        raise InputError(f"{sweep_dir}: the explorer shows runs of train_vae; these are of another notebook")
    finished = read_runs(folders)
    if (latent_dim := shared_settings(finished)["latent_dim"]) != 2:
        raise InputError(
            f"{sweep_dir}: the explorer is a page for latent planes, and latent_dim is {latent_dim} here: "
            "traversals.png in each run folder shows what the dimensions draw"
        )
    return finished


def _test_images(about: About, settings: Mapping[str, object]) -> Dataset:
    """The data that the runs were trained and tested on. Raises InputError if they are not there any more."""
    with redirect_stdout(None):  # how own images are split was said when they were trained on
        dataset = binarised(load_dataset(about.path or about.name), settings["binarise"])
    if dataset.checksum != settings["data_checksum"]:
        raise InputError(f"{about.path or about.name} has other images now than the runs: bring the old ones back")
    return dataset


def _of_weights(finished: Runs, kl_weights: Sequence[float]) -> Runs:
    """The runs of these weights, of all if there are none. Raises InputError for a weight that no run has."""
    there = finished.settings["kl_weight"]
    if unknown := [kl_weight for kl_weight in kl_weights if kl_weight not in set(there)]:
        have = ", ".join(f"{kl_weight:g}" for kl_weight in there.unique())
        raise InputError(f"there is no finished run of kl_weight {unknown[0]:g}: choose from {have}")
    return finished.take(there.index[there.isin(kl_weights)]) if kl_weights else finished


def _looks(class_names: Sequence[str]) -> list[tuple[str, str]]:
    """Colour and marker of each class, as in the figures; without classes the look of all codes.

    A dot is small and quick to draw, and needs its colour alone.
    """
    if not class_names:
        return [(ONE_COLOR, "dot")]
    if not told_apart(class_names):
        return [(GREY, "dot")] * len(class_names)
    markers = MARKERS if len(class_names) > len(CLASS_COLORS) else ("dot",)
    return [(color, marker) for marker in markers for color in CLASS_COLORS][: len(class_names)]


def _usable(finished: Runs, sweep_dir: Path, images: int) -> tuple[Runs, list[str]]:
    """The run to show for each weight, in their order, and what is missing and why."""
    missing = [f"{path.name} failed" for path in sorted(sweep_dir.glob("failed/kl_*"))]
    missing += [f"{folder.name}: {found}" for folder, found in run_folders(sweep_dir).items() if found]
    there = [row for row, path in enumerate(finished.folders) if all((path / name).exists() for name in MODEL_FILES)]
    problems = {row: _model_problem(finished.folders[row], images) for row in there}
    missing += [f"{finished.folders[row].name}: {problem}" for row, problem in problems.items() if problem]
    whole = [row for row in there if not problems[row]]
    absent = sorted(set(finished.settings["kl_weight"]) - set(finished.settings["kl_weight"][there]))
    if absent:
        names = f"kl_weight {', '.join(f'{kl_weight:g}' for kl_weight in absent)}"
        missing.append(f"{names} without {' and '.join(MODEL_FILES)} (git keeps neither)")
    if not whole:
        raise InputError(f"{sweep_dir}: {'; '.join(missing)}: run the sweep on this machine first")
    return finished.take(whole).first_of_each_weight(), missing


def _model_problem(folder: Path, images: int) -> str | None:
    """Why the page cannot show the run, or None."""
    try:
        read_decoder(folder)
    except InputError as error:
        return str(error)
    return None if len(read_latent(folder).mean) == images else f"latent.npz is not that of {images:,} test images"


def _measured(row: pd.Series) -> dict[str, str]:
    return {name: mean_and_spread(row[f"{name}_mean"], row[f"{name}_std"]) for name in MEASURES}


def _planes(
    codes: Sequence[np.ndarray], start: int, network: OneNetwork | None, images: np.ndarray, weights: Sequence[float]
) -> tuple[list[dict[str, object]], dict[str, object]]:
    """How the plane of each run is turned, and that of the network, if there is one."""
    if not network:
        return [{"turn": turn.tolist()} for turn in turns(codes, start)], {}
    theirs = [networks.encoded(network, images, kl_weight)[0] for kl_weight in weights]
    found, of_network = turns_with_network(codes, theirs, start)
    alike = [
        likeness(run, other @ of_network.T, turn) >= ALIKE
        for run, other, turn in zip(codes, theirs, found, strict=True)
    ]
    planes = [{"turn": turn.tolist(), "alike": one} for turn, one in zip(found, alike, strict=True)]
    return planes, {"turn": of_network.tolist()}


def _network_precision(network: OneNetwork, images: np.ndarray, weights: Sequence[float]) -> str:
    codes, pixels = networks.rounding(network, images, weights)
    values = {"images": networks.CHECKED, "codes": f"{codes:.1g}", "difference": f"{255 * pixels:.2f}"}
    return ENGLISH["precision.network"].format(**networks.BITS, **values)


def _middle(mean: np.ndarray) -> list[float]:
    """Of the window that fits the codes."""
    return ((mean.min(axis=0) + mean.max(axis=0)) / 2).tolist()


def _rates(mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """KL(q(z|x) || p(z)) of each image, in nats: (N,)."""
    return 0.5 * np.sum(np.exp(log_var) + mean**2 - 1 - log_var, axis=1)


def _collapse(finished: Runs, test: Dataset, settings: Mapping[str, object]) -> list[float]:
    """The weights above which the latent units are predicted to die, descending; none where the law does not speak.

    From the measures of the runs; for runs from before those had it, from the training images.
    """
    given = DEFAULTS | dict(settings)
    if given["free_bits"] or given["target_rate"] is not None or given["target_distortion"] is not None:
        return []  # the rate is not what is charged
    found = collapse_weights(finished)
    weights = found if len(found) else law.predicted(test, given, given["latent_dim"])
    return [float(weight) for weight in weights if weight > 0]


def _panels(
    shown: Runs, table: pd.DataFrame, images: np.ndarray, chosen: np.ndarray, sweep_dir: Path, room: float
) -> tuple[list[dict[str, object]], list[dict[str, object]], list[float]]:
    """What the page has of each weight, its arrays, and what rounding its decoder makes to a pixel at most.

    Raises InputError if that takes more than `room` bytes.
    """
    panels, arrays, differences, size = [], [], [], 0
    for kl_weight, seed, folder in zip(shown.settings["kl_weight"], shown.settings["seed"], shown.folders, strict=True):
        array, difference = _arrays(folder, images, chosen)
        panels.append({"kl_weight": kl_weight, "seed": int(seed), "measured": _measured(table.loc[kl_weight])})
        arrays.append(array)
        differences.append(difference)
        size += len(json.dumps(array))
        if size > room:
            raise InputError(f"{sweep_dir}: {_too_large(sweep_dir, shown, size / len(panels), room)}")
    return panels, arrays, differences


def _too_large(sweep_dir: Path, shown: Runs, each: float, room: float) -> str:
    """What to do about a page above `LARGEST` bytes, of which the weights, `each` of so many, may take `room`."""
    weights, fitting = shown.settings["kl_weight"], int(room / each)
    fault = (
        f"the page would have about {(LARGEST - room + len(weights) * each) / 1e6:.0f} MB, more than the "
        f"{LARGEST / 1e6:.0f} MB that browsers open well"
    )
    if fitting < 1:
        return f"{fault}: train with fewer hidden_units"
    some = weights.iloc[np.linspace(0, len(weights) - 1, fitting).astype(int)]
    return (
        f"{fault}: show {fitting} of its {len(weights)} weights, as with python -m vae_core.explorer "
        f"{os.path.relpath(sweep_dir)} --kl-weights {' '.join(f'{kl_weight:g}' for kl_weight in some)}"
    )


def _arrays(folder: Path, images: np.ndarray, chosen: np.ndarray) -> tuple[dict[str, object], float]:
    """The arrays of one run for the page, and the largest difference that rounding the decoder makes to a pixel."""
    decoder, pixels, latent = read_decoder(folder), read_pixels(folder), read_latent(folder)
    mean, log_var = latent.mean[chosen], latent.log_var[chosen]  # (N, 2) each
    arrays = {name: packed(getattr(decoder, name), BITS) for name in Decoder.__annotations__}
    rounded = Decoder(**{name: unpacked(array) for name, array in arrays.items()})
    rng = np.random.default_rng(0)
    draws = draw(mean, log_var, rng, SAMPLES)  # (SAMPLES, N, 2)
    distortion = np.mean([pixels.nll(images, decoder.outputs(z)) for z in draws], axis=0)  # (N,)
    z = np.concatenate([mean[rng.integers(len(mean), size=CHECKED // 2)], rng.standard_normal((CHECKED // 2, 2))])
    difference = np.abs(pixels.mean(decoder.outputs(z)) - pixels.mean(rounded.outputs(z))).max()
    codes = {"mean": (mean, 16), "log_var": (log_var, SPREAD_BITS), "distortion": (distortion[:, None], 16)}
    arrays |= {name: packed(*values) for name, values in codes.items()}
    return {name: as_text(array) for name, array in arrays.items()}, float(difference)


def _render(elements: Sequence[Markup], **texts: object) -> str:
    """The page. Texts are escaped, and the policy allows its own script and style and no request."""
    script = "\n".join((TEMPLATE / name).read_text() for name in SCRIPTS)
    style = "".join((TEMPLATE / name).read_text() for name in STYLES)
    digests = {name: f"'sha256-{_digest(text)}'" for name, text in (("script-src", script), ("style-src", style))}
    rules = {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'", **digests}
    template = jinja2.Environment(autoescape=True).from_string((TEMPLATE / "explorer.html").read_text())
    return template.render(
        policy="; ".join(f"{name} {value}" for name, value in rules.items()),
        script=Markup(script),
        style=Markup(style),
        elements=Markup("\n").join(elements),
        **texts,
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
