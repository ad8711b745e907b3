"""What the seed documents print, and the table that sets it beside our numbers.

The losses are per pixel: mean binary cross-entropy plus the KL term as the seed weighs it. Times 784 they are in nats
per image, at the kl_weight that `which_weight_are_you_using` works out.
"""

from collections.abc import Iterable

import pandas as pd

PIXELS = 28 * 28
# Printed losses per epoch, with Fashion-MNIST: seed 000's 50 epochs, seed 002's 10.
SEED_000_TRAINING = (
    *(0.4348, 0.3915, 0.3822, 0.3746, 0.3699, 0.3672, 0.3652, 0.3638, 0.3627, 0.3619),
    *(0.3610, 0.3603, 0.3597, 0.3592, 0.3587, 0.3584, 0.3581, 0.3581, 0.3578, 0.3576),
    *(0.3574, 0.3571, 0.3569, 0.3567, 0.3566, 0.3562, 0.3561, 0.3561, 0.3560, 0.3562),
    *(0.3559, 0.3555, 0.3555, 0.3552, 0.3552, 0.3552, 0.3550, 0.3550, 0.3550, 0.3550),
    *(0.3546, 0.3546, 0.3547, 0.3545, 0.3546, 0.3547, 0.3549, 0.3546, 0.3549, 0.3547),
)
SEED_000_VALIDATION = (
    *(0.3956, 0.3833, 0.3752, 0.3687, 0.3657, 0.3646, 0.3626, 0.3607, 0.3598, 0.3584),
    *(0.3578, 0.3577, 0.3578, 0.3555, 0.3564, 0.3558, 0.3564, 0.3561, 0.3560, 0.3542),
    *(0.3548, 0.3552, 0.3545, 0.3555, 0.3543, 0.3536, 0.3563, 0.3550, 0.3539, 0.3539),
    *(0.3537, 0.3533, 0.3524, 0.3541, 0.3524, 0.3531, 0.3525, 0.3531, 0.3532, 0.3517),
    *(0.3525, 0.3523, 0.3510, 0.3543, 0.3532, 0.3513, 0.3523, 0.3519, 0.3510, 0.3517),
)
SEED_002_TRAINING = (
    0.3641,
    0.3400,
    0.3364,
    0.3346,
    0.3331,
    0.3320,
    0.3310,
    0.3302,
    0.3293,
    0.3292,
)
SEED_002_VALIDATION = (
    0.3439,
    0.3400,
    0.3386,
    0.3351,
    0.3339,
    0.3350,
    0.3328,
    0.3328,
    0.3312,
    0.3314,
)
# Seed 002's printed summaries: output shape and parameters of each layer, and their totals.
SEED_002_LAYERS = {
    "encoder": (
        ((28, 28, 1), 0),
        ((28, 28, 32), 320),
        ((14, 14, 64), 18_496),
        ((14, 14, 64), 36_928),
        ((14, 14, 64), 36_928),
        ((12_544,), 0),
        ((32,), 401_440),
        ((2,), 66),
        ((2,), 66),
    ),
    "decoder": (
        ((2,), 0),
        ((12_544,), 37_632),
        ((14, 14, 64), 0),
        ((28, 28, 32), 18_464),
        ((28, 28, 1), 289),
    ),
}
SEED_002_PARAMETERS = {"encoder": 494_244, "decoder": 56_385, "encoder and decoder": 550_629}
COLUMNS = ("seed", "what", "printed", "ours", "why they differ")


def seed_table(rows: Iterable[tuple[str, str, str, str, str]]) -> pd.DataFrame:
    """What a seed printed or says beside what came out here: seed, what, printed, ours, why they differ."""
    return pd.DataFrame(rows, columns=list(COLUMNS))


def seed_markdown(table: pd.DataFrame) -> str:
    """A `seed_table` as Markdown, in which a | of its own would end a cell."""
    return table.map(lambda text: text.replace("|", r"\|")).to_markdown(index=False, disable_numparse=True)


def per_pixel(nats: float) -> float:
    """Nats per image as a loss that averages over pixels says it."""
    return nats / PIXELS
