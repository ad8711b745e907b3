"""explorer.html: the latent space of a sweep in a browser, live and offline. No Keras here."""

import base64
import hashlib
import html
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import jinja2
import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup  # of Jinja2
from scipy.special import expit

from vae_core.data import IMAGE_SHAPE, SOURCES, load_dataset
from vae_core.errors import InputError
from vae_core.figures.style import CLASS_COLORS
from vae_core.latent import draw
from vae_core.parameters import check_parameters
from vae_core.report.diverged import diverged_runs, sound
from vae_core.report.tables import loss_table
from vae_core.runs import (
    MODEL_FILES,
    RECORD,
    Runs,
    fault,
    read_latent,
    read_runs,
    replace_file,
    run_folders,
)
from vae_core.statistics import mean_and_spread

WANTED = "give the folder of a sweep, such as results/kl_sweep/mnist, or of one run"
TEMPLATE = Path(__file__).parent
SHOWN = 5000  # test images in the page, evenly chosen
BITS = 14  # per decoder weight: below what a screen's 255 greys can show
GREYS = 15  # levels above black of the original images
SAMPLES = 8  # draws from q(z|x) for the distortion of one image
CHECKED = 200  # latent points on which the decoder of the page is compared
MEASURES = ("distortion", "rate", "negative_elbo", "nll", "mutual_information")  # in the page's table
SCRIPTS = ("decoder.js", "drawings.js", "page.js")  # in the order in which they are read


@dataclass(frozen=True)
class Decoder:
    """Of the reference model: logits = relu(z W + b) V + c; W: (2, units), V: (units, 784)."""

    first: np.ndarray
    first_bias: np.ndarray
    last: np.ndarray
    last_bias: np.ndarray

    def logits(self, z: np.ndarray) -> np.ndarray:
        """Decode latent points; z: (N, 2), returns (N, 784)."""
        return np.maximum(z @ self.first + self.first_bias, 0) @ self.last + self.last_bias


@dataclass(frozen=True)
class Question:
    """A question of the page, and what it shows with the answer."""

    question: str
    answer: str
    kl_weight: float  # to be shown with the answer
    picture: str  # "codes" or "images"
    window: str  # "codes", "prior" or "points": what the plane is fitted to
    points: Sequence[Sequence[tuple[float, float]]] = ()  # columns of latent points, for the images
    compares: bool = False  # weights with each other


def write_explorer(sweep_dir: Path) -> Path:
    """Write explorer.html into the folder of a sweep. Raises InputError if there is nothing to show."""
    path = sweep_dir / "explorer.html"
    replace_file(path, explorer_page(sweep_dir))
    return path


def explorer_page(sweep_dir: Path) -> str:
    """The page: the first seed of each weight that has its codes and its decoder; the losses of all runs.

    `sweep_dir` may also be the folder of one run. Raises InputError if there is nothing that the page could show.
    """
    sweep_dir = sweep_dir.resolve()
    finished = _finished(sweep_dir)
    if not {"prior_classes", "share_in_window"} <= set(finished.measures):
        raise InputError(f"{sweep_dir}: the explorer shows runs of train_vae; these are of another notebook")
    dataset = finished.settings["dataset"].iloc[0]
    test, class_names = load_dataset(dataset), SOURCES[dataset].class_names
    if test.image_shape != IMAGE_SHAPE:
        raise InputError(f"the explorer draws images of 28 x 28 grey pixels; {dataset} has others")
    gone, finished = diverged_runs(finished), sound(finished)
    if not finished.folders:
        raise InputError(f"{sweep_dir}: every run has diverged ({gone}): use a smaller learning_rate")
    shown, missing = _usable(finished, sweep_dir, len(test.test_images))
    missing += [f"diverged: {gone}"] if gone else []
    chosen = np.linspace(0, len(test.test_images) - 1, min(SHOWN, len(test.test_images))).astype(int)
    images = test.test_images[chosen].reshape(len(chosen), -1)  # (N, 784)
    table = loss_table(finished).set_index("kl_weight")
    weights = list(shown.settings["kl_weight"])
    panels, differences = [], []
    for kl_weight, seed, folder in zip(weights, shown.settings["seed"], shown.folders, strict=True):
        panel, difference = _panel(folder, images, chosen)
        panels.append({"kl_weight": kl_weight, "seed": int(seed), "measured": _measured(table.loc[kl_weight]), **panel})
        differences.append(difference)
    folders = dict(zip(weights, shown.folders, strict=True))
    questions = _questions(table.loc[weights], folders, len(test.test_images))
    content = {
        "class_names": class_names,
        "class_colors": CLASS_COLORS,
        "labels": _deflated(test.test_labels[chosen].astype(np.uint8)),
        "images": _deflated(np.round(GREYS * images).astype(np.uint8)),
        "greys": GREYS,
        "weights": panels,
        "runs": finished.table()[["kl_weight", "seed", "rate", "distortion"]].to_dict("records"),
        "questions": [asdict(question) for question in questions],
    }
    seeds = sorted(finished.settings["seed"].unique())
    over = f"Mean ± standard deviation over the seeds {', '.join(map(str, seeds))}." if len(seeds) > 1 else "One seed."
    return _render(
        dataset=dataset,
        about=f"{test.description}: {len(chosen):,} of {len(test.test_images):,} test images; "
        f"{finished.settings['epochs'].max()} epochs of training. Everything is decoded in this page, by the trained "
        "decoders.",
        missing="; ".join(missing),
        samples=SAMPLES,
        last=len(weights) - 1,
        start=int(np.argmin(np.abs(np.array(weights) - 1))),
        spread=over,
        precision=f"Decoder weights have {BITS} bits here; on {CHECKED} latent points at each weight no pixel is "
        f"farther from that of the full weights than {255 * max(differences):.2f} of 255.",
        content=content,
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
    return read_runs(folders)


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


def _panel(folder: Path, images: np.ndarray, chosen: np.ndarray) -> tuple[dict[str, object], float]:
    """The arrays of one run for the page, and the largest difference that rounding the decoder makes to a pixel."""
    decoder, latent = read_decoder(folder), read_latent(folder)
    mean, log_var = latent.mean[chosen], latent.log_var[chosen]  # (N, 2) each
    arrays = {name: _packed(getattr(decoder, name), BITS) for name in Decoder.__annotations__}
    rounded = Decoder(**{name: _unpacked(array) for name, array in arrays.items()})
    rng = np.random.default_rng(0)
    draws = draw(mean, log_var, rng, SAMPLES)  # (SAMPLES, N, 2)
    distortion = np.mean([_bernoulli_nll(images, decoder.logits(z)) for z in draws], axis=0)  # (N,)
    rate = 0.5 * np.sum(np.exp(log_var) + mean**2 - 1 - log_var, axis=1)  # (N,)
    z = np.concatenate([mean[rng.integers(len(mean), size=CHECKED // 2)], rng.standard_normal((CHECKED // 2, 2))])
    difference = np.abs(expit(decoder.logits(z)) - expit(rounded.logits(z))).max()
    codes = {"mean": mean, "distortion": distortion[:, None], "rate": rate[:, None]}
    arrays |= {name: _packed(values, 16) for name, values in codes.items()}
    return {name: _as_text(array) for name, array in arrays.items()}, float(difference)


def read_decoder(folder: Path) -> Decoder:
    """The decoder's weights from a run folder. Raises InputError if it is not one of two dense layers over a plane."""
    try:
        return _decoder_in(folder)
    except (OSError, KeyError) as error:
        raise InputError("model.weights.h5 cannot be read") from error


def _decoder_in(folder: Path) -> Decoder:
    with h5py.File(folder / "model.weights.h5") as file:
        layers = file["decoder/layers"]
        kernels = [
            layers[name]["vars"]["0"] for name in layers if "vars" in layers[name] and "0" in layers[name]["vars"]
        ]
        if len(kernels) != 2 or any(kernel.ndim != 2 for kernel in kernels):
            raise InputError("the explorer decodes with two dense layers; this decoder has others")
        if kernels[0].shape[0] != 2:
            raise InputError(
                f"the explorer shows a latent plane; this model has {kernels[0].shape[0]} latent dimensions"
            )
        arrays = [layers[name]["vars"][number][...] for name in ("dense", "dense_1") for number in ("0", "1")]
    return Decoder(arrays[0], arrays[1][None], arrays[2], arrays[3][None])


def _bernoulli_nll(images: np.ndarray, logits: np.ndarray) -> np.ndarray:
    return np.sum(np.logaddexp(0, logits) - images * logits, axis=1)  # (N,)


def _packed(values: np.ndarray, bits: int) -> dict[str, object]:
    """Whole numbers of `bits` bits from the smallest to the largest value of each column; values: (rows, columns)."""
    low, high = values.min(axis=0), values.max(axis=0)  # (columns,)
    step = np.maximum(high - low, np.finfo(np.float32).tiny) / (2**bits - 1)
    whole = np.round((values - low) / step).astype(np.uint16)
    return {"whole": whole, "low": low, "step": step}


def _unpacked(packed: Mapping[str, np.ndarray]) -> np.ndarray:
    return packed["low"] + packed["step"] * packed["whole"]


def _as_text(packed: Mapping[str, np.ndarray]) -> dict[str, object]:
    """For JSON; low bytes before high bytes, which compress better apart."""
    planes = packed["whole"].astype("<u2").view(np.uint8).reshape(-1, 2).T  # (2, rows * columns)
    ends = {name: [float(f"{value:.9g}") for value in packed[name]] for name in ("low", "step")}
    return {"packed": _deflated(planes), "rows": len(packed["whole"]), **ends}


def _deflated(values: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 9)).decode()


def _questions(table: pd.DataFrame, shown: Mapping[float, Path], images: int) -> list[Question]:
    """Questions for a class, with the answers from the results; with one weight, no question compares weights.

    table: the loss table of the weights that are shown; images: the number of test images
    """
    least, most, best = table.index[0], table.index[-1], table["negative_elbo_mean"].idxmin()

    def said(name: str, kl_weight: float, decimals: int = 2) -> str:
        return mean_and_spread(table.loc[kl_weight, f"{name}_mean"], table.loc[kl_weight, f"{name}_std"], decimals)

    def at_weights(name: str, *kl_weights: float, decimals: int = 2) -> str:
        different = dict.fromkeys(kl_weights)
        return ", ".join(f"{said(name, kl_weight, decimals)} at kl_weight {kl_weight:g}" for kl_weight in different)

    far, saturated, near = _far_outside(shown[least])
    plane = [[(x, y) for y in np.linspace(2, -2, 5)] for x in np.linspace(-2, 2, 5)]
    asked = [
        Question(
            f"Where will the codes be at kl_weight {most:g}?",
            f"The means of q(z|x) lie {said('mean_spread', most)} from the origin (root mean square, per dimension); "
            f"draws from q(z|x), which the decoder gets, {said('draw_spread', most)}. The prior's samples: 1.",
            *(most, "codes", "prior"),
        ),
        Question(
            f"Where will the codes be at kl_weight {least:g}?",
            f"{said('mean_spread', least)} from the origin; {table.loc[least, 'share_in_window_mean']:.0%} of the "
            "codes are within three deviations of the prior each way. Mind the numbers at the axes.",
            *(least, "codes", "codes"),
            compares=True,
        ),
        Question(
            f"What will the decoder of kl_weight {least:g} draw far outside the codes?",
            f"Pixels that are all but black or all but white: {saturated:.0%} are within 1% of 0 or 1, "
            f"{near:.0%} at the codes. (Three times as far out as the codes' 99% quantile, in five directions.)",
            *(least, "images", "points", [[tuple(map(float, z))] for z in far]),
        ),
        Question(
            "Which weight has the lowest negative ELBO on the test images?",
            f"kl_weight {best:g}. Nats per image: {at_weights('negative_elbo', best, least, most)}.",
            *(best, "images", "prior", plane),
            compares=True,
        ),
        Question(
            f"At kl_weight {least:g}, how many nats of the rate tell one image from another?",
            f"{said('mutual_information', least)} of {said('rate', least)}; {np.log(images):.2f} would tell all test "
            "images apart. The rest is the distance of all codes together from the prior.",
            *(least, "codes", "codes"),
        ),
        Question(
            f"How many classes will be among the images of the prior's samples at kl_weight {most:g}?",
            f"A judge, which is a classifier trained on the real images, sees "
            f"{at_weights('prior_classes', most, best, decimals=1)}.",
            *(most, "images", "prior", plane),
        ),
    ]
    return [question for question in asked if len(table) > 1 or not question.compares]


def _far_outside(folder: Path) -> tuple[np.ndarray, float, float]:
    """Five points far outside the codes, and the share of saturated pixels there and at the codes."""
    mean = read_latent(folder).mean  # (N, 2)
    middle = mean.mean(axis=0)
    radius = 3 * np.quantile(np.linalg.norm(mean - middle, axis=1), 0.99)
    angles = 2 * np.pi * np.arange(5) / 5
    far = middle + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)  # (5, 2)
    decoder = read_decoder(folder)

    def saturated(z: np.ndarray) -> float:
        return float(np.mean(np.abs(expit(decoder.logits(z)) - 0.5) > 0.49))

    return far, saturated(far), saturated(mean)


def _render(content: Mapping[str, object], **texts: object) -> str:
    """The page. Texts are escaped, and the policy allows its own script and style and no request."""
    script = "\n".join((TEMPLATE / name).read_text() for name in SCRIPTS)
    style = (TEMPLATE / "explorer.css").read_text()
    digests = {name: f"'sha256-{_digest(text)}'" for name, text in (("script-src", script), ("style-src", style))}
    rules = {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'", **digests}
    template = jinja2.Environment(autoescape=True).from_string((TEMPLATE / "explorer.html").read_text())
    return template.render(
        policy="; ".join(f"{name} {value}" for name, value in rules.items()),
        script=Markup(script),
        style=Markup(style),
        # "<" would end the script element in the middle of a name
        data=Markup(json.dumps(content, allow_nan=False).replace("<", "\\u003c")),
        **texts,
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
