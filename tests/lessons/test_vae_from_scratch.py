"""The VAE in the cells of a notebook, its exercise with all its checks, and the gradients behind both."""

import ast
import re
from dataclasses import replace
from functools import cache

import jupytext
import nbformat
import numpy as np
import pytest
import tensorflow as tf
from jupytext.compare import compare_notebooks

from tests.test_notebooks import assert_publishable
from vae_core import runs, training
from vae_core.errors import InputError
from vae_core.execution.notebook import execute_notebook
from vae_core.lessons.vae_from_scratch import checks, measures
from vae_core.models import reference_vae
from vae_core.report.reading_order import READING_ORDER

LESSON = runs.PROJECT / "notebooks" / "vae_from_scratch.py"
EXERCISE = runs.PROJECT / "notebooks" / "exercises" / "vae_from_scratch.py"
MOST_LINES = 80


@cache
def code_cells(path) -> list[str]:
    """The code of a notebook without its parameters and IPython's magics."""
    cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    cells = [cell.source for cell in cells if "parameters" not in cell.metadata.get("tags", [])]
    return [re.sub(r"^%.*$", "", source, flags=re.MULTILINE) for source in cells]


@cache
def functions(path) -> dict[str, str]:
    """The source of each function of a notebook, by its name."""
    source = "\n".join(code_cells(path))
    found = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {node.name: ast.get_source_segment(source, node) for node in found}


def lines_of_code(source: str) -> int:
    """Lines that are neither empty, nor comments, nor docstrings."""
    lines = {number for number, line in enumerate(source.splitlines(), 1) if line.strip()[:1] not in ("", "#")}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def defined(name: str, *fillings: str, **others):
    """A function of the exercise, its blanks filled in order, among the imports of the exercise and other names."""
    source = functions(EXERCISE)[name]
    assert source.count("BLANK") == len(fillings)
    for filling in fillings:
        source = source.replace("BLANK", filling, 1)
    imports = [line for line in code_cells(EXERCISE)[0].splitlines() if line.startswith(("import", "from"))]
    names = dict(others)
    exec("\n".join([*imports, source]), names)
    return names[name]


@cache
def solutions(name: str) -> tuple[str, ...]:
    """What the lesson has where the exercise has blanks."""
    pattern = re.escape(functions(EXERCISE)[name]).replace("BLANK", "(.+)")
    return re.fullmatch(pattern, functions(LESSON)[name]).groups()


def test_all_code_that_can_be_seen_is_at_most_80_lines():
    assert lines_of_code('def f():\n    """Said."""\n    # said\n\n    return 1  # said\n') == 2
    assert 60 < sum(map(lines_of_code, code_cells(LESSON))) <= MOST_LINES


def test_it_says_how_long_it_takes():
    (entry,) = (entry for entry in READING_ORDER if entry.name == LESSON.stem)
    assert f"about {entry.minutes:g} minutes on two cores" in " ".join(LESSON.read_text().replace("\n# ", " ").split())


def test_the_exercise_is_the_lesson_with_eight_blanks():
    assert list(functions(EXERCISE)) == list(functions(LESSON))
    assert sum(len(solutions(name)) for name in functions(LESSON)) == 8
    paired = nbformat.read(EXERCISE.with_suffix(".ipynb"), nbformat.NO_CONVERT)
    compare_notebooks(paired, jupytext.read(EXERCISE), fmt="py:percent")
    assert all(not cell.get("outputs") for cell in paired.cells)


IMAGE_SHAPE = (7, 7, 1)
SETTINGS = {"batch_size": 300, "learning_rate": 1e-2, "hidden_units": 4, "seed": 3}


@pytest.fixture(scope="module")
def small(digits):
    """Small digits, in whole batches, so that each function is compiled once."""
    images = digits.as_floats().train_images[:900, ::4, ::4]
    assert images.shape[1:] == IMAGE_SHAPE
    return replace(digits, train_images=images[:600], validation_images=images[600:])


@pytest.fixture
def filled(small):
    """A function of the exercise, its blanks filled with the lesson's code or with other code, in order."""
    lesson = {name: defined(name, *solutions(name)) for name in ("draw", "distortion_of", "rate_of", "objective_of")}

    def fill(name, *fillings):
        names = {**lesson, **SETTINGS, "epochs": 1, "data": small}
        names["build"] = defined("build", *solutions("build"), **names)
        return defined(name, *(fillings or solutions(name)), **names)

    return fill


CHECKS = {
    "draw": checks.draw,
    "distortion_of": checks.distortion,
    "rate_of": checks.rate,
    "objective_of": checks.objective,
    "build": lambda build: checks.encoder_and_decoder(build, IMAGE_SHAPE),
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_code_of_the_lesson_is_right(filled, name):
    assert CHECKS[name](filled(name)) == f"{name} is right"


@pytest.mark.parametrize(
    ("name", "filling"),
    [
        ("draw", "mean + noise * ops.sqrt(ops.exp(log_var))"),
        ("distortion_of", "ops.sum(ops.softplus(logits) - images * logits, axis=[-3, -2, -1])"),
        ("distortion_of", "ops.sum(ops.binary_crossentropy(images, ops.sigmoid(logits)), axis=(1, 2, 3))"),
        ("rate_of", "-0.5 * ops.sum(1 + log_var - mean**2 - ops.exp(log_var), axis=-1)"),
        ("rate_of", "ops.sum(0.5 * (ops.square(mean) + ops.exp(log_var) - log_var) - 0.5, axis=1)"),
        ("objective_of", "ops.mean(distortion) + kl_weight * ops.mean(rate)"),
    ],
)
def test_other_ways_to_write_it_are_right_too(filled, name, filling):
    assert CHECKS[name](filled(name, filling)) == f"{name} is right"


BCE = "ops.binary_crossentropy(images, logits, from_logits=True)"
TERMS = "(ops.exp(log_var) + mean**2 - 1 - log_var)"
WRONG = [
    ("draw", "mean", "the noise is missing, so that z is the mean"),
    ("draw", "mean + 0 * noise", "the noise is missing, so that z is the mean"),
    ("draw", "ops.exp(log_var / 2) * noise", "the mean is missing"),
    ("draw", "mean + ops.exp(log_var) * noise", "exp(log_var) is the variance, and the noise takes the deviation"),
    ("draw", "mean + log_var * noise", "log_var is not yet a deviation"),
    ("draw", "mean + log_var / 2 * noise", "log_var / 2 is the logarithm of the deviation: the exp is missing"),
    ("draw", "mean + noise", "the deviation is missing"),
    ("draw", "mean - ops.exp(log_var / 2) * noise", "the noise is subtracted"),
    ("draw", "mean + ops.exp(log_var / 2) * keras.random.normal(mean.shape)", "it makes noise of its own"),
    ("draw", "np.random.normal(mean, np.exp(log_var / 2))", "it makes noise of its own"),
    ("draw", "mean.numpy() + np.exp(log_var / 2) * noise", "the numbers are right, but no gradient reaches"),
    (
        "draw",
        "ops.stop_gradient(mean + ops.exp(log_var / 2) * noise)",
        "the numbers are right, but no gradient reaches",
    ),
    (
        "draw",
        "mean + ops.exp(ops.stop_gradient(log_var) / 2) * noise",
        "the numbers are right, but no gradient reaches",
    ),
    ("draw", "mean + ops.exp(log_var * 2) * noise", "its first number is"),
    ("draw", "mean + ops.exp(log_var / 2) * wrong", "it fails with NameError: name 'wrong' is not defined"),
    ("draw", "None", "it returns nothing"),
    ("draw", "BLANK", "there is a BLANK left to fill in"),
    ("distortion_of", f"-ops.sum({BCE}, axis=(1, 2, 3))", "the sign is wrong"),
    ("distortion_of", f"ops.mean({BCE}, axis=(1, 2, 3))", "it is the mean over the pixels, and has to be their sum"),
    ("distortion_of", f"ops.sum({BCE})", "it is one number for the whole batch"),
    ("distortion_of", f"ops.mean({BCE})", "it is the mean over batch and pixels"),
    ("distortion_of", f"ops.sum({BCE}, axis=(1, 2))", "its shape is (5, 1), and has to be (5,)"),
    (
        "distortion_of",
        "ops.sum(ops.binary_crossentropy(images, logits), axis=(1, 2, 3))",
        "the logits are taken for probabilities",
    ),
    (
        "distortion_of",
        "ops.sum(ops.binary_crossentropy(images, 1 / (1 + ops.exp(-logits)), from_logits=True), axis=(1, 2, 3))",
        "the sigmoid is taken twice",
    ),
    (
        "distortion_of",
        "ops.sum(ops.binary_crossentropy(logits, images, from_logits=True), axis=(1, 2, 3))",
        "images and logits are swapped",
    ),
    ("distortion_of", "ops.sum((images - ops.sigmoid(logits)) ** 2, axis=(1, 2, 3))", "these are squared errors"),
    ("rate_of", f"-ops.sum({TERMS} / 2, axis=1)", "the sign is wrong: a KL is never negative"),
    ("rate_of", f"ops.sum({TERMS}, axis=1)", "the 1/2 is missing"),
    ("rate_of", f"-ops.sum({TERMS}, axis=1)", "the sign is wrong, and the 1/2 is missing"),
    ("rate_of", f"ops.mean({TERMS} / 2, axis=1)", "it is the mean over the latent dimensions"),
    ("rate_of", f"ops.sum({TERMS} / 2)", "it is one number for the whole batch"),
    ("rate_of", f"ops.mean({TERMS} / 2)", "it is the mean over batch and dimensions"),
    ("rate_of", f"{TERMS} / 2", "it is not yet summed"),
    (
        "rate_of",
        "ops.sum(ops.exp(log_var / 2) + mean**2 - 1 - log_var, axis=1) / 2",
        "exp(log_var / 2) is the deviation, and the first term is the variance",
    ),
    ("rate_of", "ops.sum(log_var + mean**2 - 1 - log_var, axis=1) / 2", "the exp is missing"),
    ("rate_of", "ops.sum(ops.exp(log_var) + mean - 1 - log_var, axis=1) / 2", "the mean is not squared"),
    ("rate_of", "ops.sum(ops.exp(log_var) + mean**2 - log_var, axis=1) / 2", "the - 1 is missing"),
    ("rate_of", "ops.sum(ops.exp(log_var) + mean**2 - 1 + log_var, axis=1) / 2", "log_var has the wrong sign"),
    ("objective_of", "distortion + kl_weight * rate", "it is one number for each image"),
    ("objective_of", "ops.sum(distortion + kl_weight * rate)", "it is the sum over the batch"),
    ("objective_of", "ops.mean(distortion + rate)", "the kl_weight is missing"),
    ("objective_of", "ops.mean(kl_weight * distortion + rate)", "the kl_weight is on the distortion"),
    ("objective_of", "ops.mean(kl_weight * (distortion + rate))", "the kl_weight is on both terms"),
    ("objective_of", "ops.mean(distortion - kl_weight * rate)", "the rate is subtracted"),
    ("objective_of", "-ops.mean(distortion + kl_weight * rate)", "the sign is wrong: both terms are costs"),
    ("build", "layers.Dense(2)(x)", "the encoder has to have two outputs of 2 numbers"),
    ("build", "[layers.Dense(2)(x), layers.Dense(1)(x)]", "the encoder has to have two outputs of 2 numbers"),
    ("build", "[layers.Dense(2)(x), layers.Dense(2, 'relu')(x)]", "the log-variance may be any number"),
    ("build", "[layers.Dense(2, 'tanh')(x), layers.Dense(2)(x)]", "the mean may be any number"),
    ("build", "[layers.Dense(2)(x)] * 2", "mean and log-variance are one and the same layer"),
    ("build", "[layers.Dense(2)(x), y]", "it fails with NameError"),
    ("build", "BLANK", "there is a BLANK left to fill in"),
]


@pytest.mark.parametrize(("name", "filling", "said"), WRONG)
def test_a_wrong_filling_is_told_in_one_line(filled, name, filling, said):
    with pytest.raises(InputError, match=rf"\A{re.escape(f'{name}: {said}')}[^\n]*\Z"):
        CHECKS[name](filled(name, filling))


def test_a_wrong_decoder_is_told_too(small):
    def build_with(last):
        source = functions(EXERCISE)["build"].replace("BLANK", *solutions("build"))
        names = {"data": small, **SETTINGS}
        imports = code_cells(EXERCISE)[0].split("settings =")[0]
        exec(imports + source.replace(*last), names)
        return names["build"]

    activation = "layers.Dense(data.train_images[0].size)", "layers.Dense(data.train_images[0].size, 'sigmoid')"
    with pytest.raises(InputError, match="build: the decoder's logits may be any number"):
        CHECKS["build"](build_with(activation))
    shape = "layers.Reshape(data.image_shape)", ""
    with pytest.raises(InputError, match=re.escape("build: the decoder gives (49,) for one z")):
        CHECKS["build"](build_with(shape))


@pytest.fixture(scope="module")
def of_vae_core(small):
    """The history of the real model, trained once for all trainings that are compared with it."""
    settings = {name: value for name, value in SETTINGS.items() if name != "batch_size"}
    vae = reference_vae(1.0, image_shape=IMAGE_SHAPE, **settings)
    return training.train(vae, small, 1, SETTINGS["batch_size"], SETTINGS["seed"])


@pytest.mark.slow
def test_the_training_of_the_lesson_gives_the_numbers_of_vae_core(filled, small, of_vae_core, monkeypatch):
    monkeypatch.setattr(measures.training, "train", lambda *arguments: of_vae_core)
    table = checks.training(filled("train"), small, **SETTINGS)
    assert table.index.tolist() == [1]
    assert table["largest difference"].max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["ops.zeros_like(mean)", "keras.random.normal((2,), seed=noises)"])
def test_other_noise_than_that_of_the_lesson_is_found(filled, small, of_vae_core, monkeypatch, noise):
    monkeypatch.setattr(measures.training, "train", lambda *arguments: of_vae_core)
    weights, _, gradient = solutions("train")
    with pytest.raises(InputError, match=r"\Atrain: it differs from vae_core by .* nats: the noise is[^\n]*\Z"):
        checks.training(filled("train", weights, noise, gradient), small, **SETTINGS)


@pytest.mark.parametrize(
    ("weights", "gradient", "said"),
    [
        ("decoder.trainable_weights", None, "the encoder has learned nothing"),
        ("encoder.trainable_weights", None, "the decoder has learned nothing"),
        (None, "[-part for part in tape.gradient(objective, weights)]", "the objective has not fallen"),
        (None, "tape.gradient(objective, decoder.trainable_weights)", "it fails with"),
        (None, "BLANK", "there is a BLANK left to fill in"),
    ],
)
def test_a_training_that_does_not_learn_is_told_in_one_line(filled, small, weights, gradient, said):
    right_weights, noise, right_gradient = solutions("train")
    tf.config.run_functions_eagerly(True)  # nothing is compared with vae_core, so that nothing need be compiled
    try:
        with pytest.raises(InputError, match=rf"\Atrain: {said}[^\n]*\Z"):
            checks.training(
                filled("train", weights or right_weights, noise, gradient or right_gradient), small, **SETTINGS
            )
    finally:
        tf.config.run_functions_eagerly(False)


# Gradients


def square(z):
    return (z[:, 0] - measures.TARGET) ** 2


@pytest.mark.parametrize(("mean", "log_var"), [((0.0,), (0.0,)), ((1.5,), (-1.2,)), ((-0.4, 2.0), (0.7, -3.0))])
def test_the_exact_gradient_is_the_derivative_of_the_closed_form(mean, log_var):
    """E[(z - 3)^2] = (mean - 3)^2 + exp(log_var), whatever the other dimensions."""
    average, gradient = measures.exact_gradient(square, np.array(mean), np.array(log_var))
    assert average == pytest.approx((mean[0] - 3) ** 2 + np.exp(log_var[0]), rel=1e-5)
    assert gradient == pytest.approx([2 * (mean[0] - 3), np.exp(log_var[0])], abs=1e-4)


def test_all_estimates_have_the_exact_mean_and_the_spreads_of_their_formulas():
    mean, log_var, samples = np.array([0.5]), np.array([-0.6]), 50_000
    average, exact = measures.exact_gradient(square, mean, log_var)
    drawn = measures.estimates(square, mean, log_var, average, samples, seed=1)
    assert list(drawn) == ["pathwise", "score function", "score function, f less E[f]"]
    for values in drawn.values():
        assert values.mean(axis=0) == pytest.approx(exact, abs=5 * values.std(axis=0).max() / np.sqrt(samples))
    assert drawn["pathwise"][:, 0].std() == pytest.approx(2 * np.exp(-0.3), rel=0.02)  # that of 2 (z - 3)
    deviation, noise = np.exp(-0.3), np.random.default_rng(1).standard_normal(samples)  # the same draws
    score = (0.5 + deviation * noise - 3) ** 2 * noise / deviation
    np.testing.assert_allclose(drawn["score function"][:, 0], score, rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def vae():
    return reference_vae(1.0, seed=2, hidden_units=8, image_shape=IMAGE_SHAPE)


def test_the_table_counts_the_draws_that_are_worth_a_pathwise_one(vae, small):
    table = measures.gradient_table(vae.encoder, vae.decoder, small.validation_images[:1], 4000, seed=0)
    assert len(table) == 12
    exact = table["exact"].astype(float)
    assert exact["(z - 3)^2"].tolist() == [-6.0] * 3 + [1.0] * 3
    estimate = table["mean of the draws"].str.split(" ± ", expand=True).astype(float)
    assert ((estimate[0] - exact).abs() < 5 * estimate[1] + 1e-3).all()
    spread = table["spread of one draw"].str.replace(",", "").astype(float).unstack()
    draws = table["draws worth one pathwise draw"].str.replace(",", "").astype(float).unstack()
    assert (draws["pathwise"] == 1).all()
    ratio = (spread["score function"] / spread["pathwise"]) ** 2
    np.testing.assert_allclose(draws["score function"], ratio, rtol=0.1)
    assert (draws["score function"] > draws["score function, f less E[f]"]).all()


def test_the_gradient_of_the_distortion_arrives_only_where_a_formula_leads(vae, small):
    draws = {
        "outside": defined("draw", *solutions("draw")),
        "inside": lambda mean, log_var, noise: np.random.default_rng(0).normal(mean, np.exp(log_var / 2)),
        "none": lambda mean, log_var, noise: mean,
    }
    images = small.validation_images[:50]
    table = measures.gradients_that_arrive(vae.encoder, vae.decoder, draws, images, seed=0)
    distortion, rate = (table[f"gradient of the {term}"] for term in ("distortion", "rate"))
    assert distortion.loc["inside"].tolist() == ["none", "none"]
    assert distortion.loc["none", "in the log-variance"] == "none"
    assert (distortion.loc["outside"].astype(float) > 0).all()
    assert float(distortion.loc["none", "in the mean"]) > 0
    mean, log_var = (np.asarray(part) for part in vae.encoder(images))
    of_mean, of_log_var = mean, (np.exp(log_var) - 1) / 2  # the derivatives of the KL
    expected = [f"{np.sqrt(np.mean(part**2)):.3f}" for part in (of_mean, of_log_var)]
    assert all(row == expected for row in rate.to_numpy().tolist())


def test_the_generator_of_keras_lets_the_gradient_through_as_the_answer_says():
    code = [tf.constant([[0.3]]), tf.constant([[2.0]])]
    with tf.GradientTape() as tape:
        tape.watch(code)
        z = checks.keras.random.normal((1, 1), *code, seed=1)
    of_mean, of_deviation = (gradient.numpy().item() for gradient in tape.gradient(z, code))
    assert of_mean == 1
    assert of_deviation == pytest.approx((z.numpy().item() - 0.3) / 2)


# The notebook


@pytest.mark.slow
def test_the_notebook_ends_with_the_numbers_of_vae_core(tmp_path):
    small = {"dataset": "digits", "epochs": 2, "batch_size": 300, "hidden_units": 16, "samples": 100, "threads": 1}
    execute_notebook(LESSON.with_suffix(".ipynb"), tmp_path / "out.ipynb", small, cwd=tmp_path)
    assert_publishable(tmp_path / "out.ipynb")
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]
    cells = nbformat.read(tmp_path / "out.ipynb", nbformat.NO_CONVERT).cells
    outputs = [output.data for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in data for data in outputs) == 2
    rows = re.findall(r"<tr>\s*(?:<th.*</th>\s*)+((?:<td>.*</td>\s*)+)</tr>", outputs[-1]["text/html"])
    compared = np.array([re.findall("<td>(.*)</td>", row) for row in rows], float)
    assert compared.shape == (2, 5)  # two epochs
    assert compared[:, -1].max() < 1e-4
    assert ((compared[:, 0] > 300) & (compared[:, 0] < 600)).all()  # the distortion
