"""The notebook on the prior, run as a reader runs it, and the numbers behind it."""

import re

import nbformat
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from tests.test_notebooks import assert_publishable
from vae_core import runs
from vae_core.execution.notebook import execute_notebook
from vae_core.lessons.the_prior import figures, measures


@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (3, 1), (0, 0.05), (-1, 2)])
def test_the_formula_and_the_samples_agree_with_the_integral(mean, deviation):
    q, p = norm(mean, deviation), norm()
    low, high = mean - 12 * deviation, mean + 12 * deviation
    integral = quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), low, high)[0]
    assert measures.kl_of([mean], deviation)[0] == pytest.approx(integral, abs=1e-6)
    sampled = measures.sampled_log_ratio(mean, deviation, 4000, seed=1)
    assert sampled.mean() == pytest.approx(integral, abs=5 * sampled.std() / np.sqrt(4000) + 1e-9)


def test_together_all_posteriors_are_the_prior_and_their_rate_falls_to_0():
    table = measures.aggregate_table(20_000, seed=2)
    assert table["mean of all codes"].to_numpy() == pytest.approx(0, abs=0.02)
    assert table["deviation of all codes"].to_numpy() == pytest.approx(1, abs=0.02)
    assert (np.diff(table["rate [nats]"]) < 0).all()
    assert table["rate [nats]"].iloc[-1] == pytest.approx(0, abs=1e-9)
    assert table["rate [nats]"].iloc[0] == pytest.approx(-2 * np.log(0.05), abs=0.05)  # I(x; z) in two dimensions


def test_figures_are_labelled_and_count_the_samples_within_the_rings(rng):
    cloud = figures.prior_cloud(np.array([[0.5, 0], [1.5, 0], [0, 1.5], [3, 0]]))
    assert "25.0% within 1 sigma, 75.0% within 2 sigma" in cloud.axes[0].get_title()
    terms = figures.kl_terms(np.arange(3), np.arange(1, 4), np.arange(3), np.arange(3))
    for axes in (*cloud.axes, *terms.axes):
        assert axes.get_xlabel()
    assert "nats" in terms.axes[0].get_ylabel()


def test_the_notebook_confirms_the_kl_by_sampling(tmp_path):
    notebook = runs.PROJECT / "notebooks" / "the_prior.ipynb"
    execute_notebook(notebook, tmp_path / "out.ipynb", {"samples": 2000}, cwd=tmp_path)
    assert_publishable(tmp_path / "out.ipynb")
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]
    cells = nbformat.read(tmp_path / "out.ipynb", nbformat.NO_CONVERT).cells
    outputs = [output.data for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in data for data in outputs) == 2
    table = next(data["text/html"] for data in outputs if "KL by sampling" in data.get("text/html", ""))
    rows = re.findall(r"<td>(-?[\d.]+)</td>\s*<td>(-?[\d.]+) ± ([\d.]+)</td>", table)
    assert len(rows) == 7
    for formula, estimate, error in rows:
        assert float(estimate) == pytest.approx(float(formula), abs=5 * float(error) + 1e-3)
