"""Arrays and models to numbers, in nats per image: the bound, the codes, their units, and the samples."""

from vae_core.measures.bound import (
    anchors,
    bound_summary,
    bound_terms,
    measure_bound,
    terms,
)
from vae_core.measures.codes import ACTIVE_VARIANCE, active_directions, active_units, knn_accuracy, measure_codes
from vae_core.measures.evidence import nll, nll_by_own_proposals, nll_by_quadrature
from vae_core.measures.paths import unevenness
from vae_core.measures.samples import draw_images, judgement, measure_samples, opinions, sharpness, train_judge
from vae_core.measures.units import measure_collapse, predict_collapse, unit_table

__all__ = [
    "ACTIVE_VARIANCE",
    "active_directions",
    "active_units",
    "anchors",
    "bound_summary",
    "bound_terms",
    "draw_images",
    "judgement",
    "knn_accuracy",
    "measure_bound",
    "measure_codes",
    "measure_collapse",
    "measure_samples",
    "nll",
    "nll_by_own_proposals",
    "nll_by_quadrature",
    "opinions",
    "predict_collapse",
    "sharpness",
    "terms",
    "train_judge",
    "unevenness",
    "unit_table",
]
