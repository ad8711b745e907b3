"""Arrays to matplotlib figures, and figures to small files."""

from vae_core.figures.compare import curves, distance_curves, image_grid, panels_of_codes, planes, spaces
from vae_core.figures.dimensions import dimension_bars, traversal_sheet
from vae_core.figures.files import save_animation, save_figure
from vae_core.figures.run import (
    decoder_manifold,
    image_pairs,
    image_row,
    latent_scatter,
    sample_rows,
    training_curves,
)
from vae_core.figures.style import covering_square

__all__ = [
    "covering_square",
    "curves",
    "decoder_manifold",
    "dimension_bars",
    "distance_curves",
    "image_grid",
    "image_pairs",
    "image_row",
    "latent_scatter",
    "panels_of_codes",
    "planes",
    "sample_rows",
    "save_animation",
    "save_figure",
    "spaces",
    "training_curves",
    "traversal_sheet",
]
