import numpy as np
import pytest
from scipy.spatial.distance import cdist

from vae_core.measures import neighbours
from vae_core.measures.neighbours import precision_and_recall


def pictures(points):
    return np.asarray(points, "float32").reshape(len(points), 1, -1, 1)


def test_precision_and_recall_by_their_definition(rng, monkeypatch):
    x, y = rng.normal(size=(60, 4)) * 0.7, rng.normal(size=(60, 4))
    radius = {name: np.sort(cdist(one, one), axis=1)[:, 3] for name, one in {"x": x, "y": y}.items()}
    between = cdist(x, y)
    precision = np.mean((between <= radius["y"]).any(axis=1))
    recall = np.mean((between <= radius["x"][:, None]).any(axis=0))
    for block in (neighbours.BLOCK, 7):
        monkeypatch.setattr(neighbours, "BLOCK", block)
        measured = precision_and_recall("prior", pictures(x), pictures(y))
        assert measured["prior_precision"] == pytest.approx(precision)
        assert measured["prior_recall"] == pytest.approx(recall)
        assert measured["prior_f_score"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert 0 < recall < precision


def test_samples_of_one_kind_are_precise_and_recall_only_their_kind(rng):
    kinds = np.array([[10.0, 0], [-10, 0]])
    real = kinds[np.arange(400) % 2] + rng.normal(size=(400, 2))
    one = kinds[0] + rng.normal(size=(400, 2))
    measured = precision_and_recall("prior", pictures(one), pictures(real))
    assert measured["prior_precision"] > 0.9
    assert measured["prior_recall"] == pytest.approx(0.5, abs=0.06)
    both = precision_and_recall(
        "prior", pictures(kinds[np.arange(400) % 2] + rng.normal(size=(400, 2))), pictures(real)
    )
    assert both["prior_f_score"] > 0.9
    nowhere = precision_and_recall("prior", pictures(real + 100), pictures(real))
    assert nowhere["prior_f_score"] == 0


def test_the_mean_image_alone_is_precise_and_recalls_nothing(digits):
    real = digits.test_images[:200]
    same = np.broadcast_to(digits.train_images.mean(axis=0), real.shape)
    measured = precision_and_recall("prior", same, real)
    assert (measured["prior_recall"], measured["prior_f_score"]) == (0, 0)
