"""What a training can be told, and which settings make sense together: checked before anything is trained."""

from collections.abc import Mapping

from vae_core.errors import InputError
from vae_core.parameters import check_choice, check_parameters

KL_WEIGHTS = (0.0, 0.02, 0.1, 0.5, 1.0, 2.0, 10.0, 20.0)  # of a sweep that is told none
CHOICES = {
    "kl_schedule": ("constant", "linear", "cosine", "cyclical"),
    "likelihood": ("bernoulli", "continuous_bernoulli", "gaussian", "gaussian_learned_variance"),
    "binarise": ("no", "threshold", "each_epoch"),
}
DENSITIES = ("continuous_bernoulli", "gaussian", "gaussian_learned_variance")  # their -log p(x) can be below 0
OPTIONAL = ("target_rate", "target_distortion")  # None: none
DEFAULTS = {  # what runs did before there were these parameters
    "latent_dim": 2,
    "kl_schedule": "constant",
    "kl_warmup_epochs": 10,
    "kl_cycles": 4,
    "kl_ramp": 0.5,
    "free_bits": 0.0,
    "target_rate": None,
    "target_distortion": None,
    "likelihood": "bernoulli",
    "pixel_variance": 1.0,
    "binarise": "no",
}
NUMBERS = (
    *("kl_weight", "latent_dim", "kl_warmup_epochs", "kl_cycles", "kl_ramp", "free_bits", *OPTIONAL, "pixel_variance"),
    *("epochs", "batch_size", "learning_rate", "hidden_units", "seed", "threads"),
)
LARGEST_LATENT_DIM = 128


def check_settings(settings: Mapping[str, object]) -> None:
    """Raise InputError for the first setting that no training can use, or that makes no sense beside another.

    It looks only at names that it knows, and at combinations only of names that it is given.
    """
    numbers = {name: settings[name] for name in NUMBERS if name in settings}
    check_parameters({name: value for name, value in numbers.items() if not (name in OPTIONAL and value is None)})
    for name, choices in CHOICES.items():
        if name in settings:
            check_choice(name, settings[name], choices)
    if settings.get("latent_dim", 1) > LARGEST_LATENT_DIM:
        raise InputError(f"latent_dim must be at most {LARGEST_LATENT_DIM}, not {settings['latent_dim']}")
    given = {**dict.fromkeys(DEFAULTS), **settings}
    _check_schedule(given)
    _check_objective(given)
    _check_likelihood(given)


def _check_schedule(given: Mapping[str, object]) -> None:
    schedule, epochs = given["kl_schedule"], given.get("epochs")
    if epochs is None:
        return
    warmup, cycles = given["kl_warmup_epochs"], given["kl_cycles"]
    if schedule in ("linear", "cosine") and warmup is not None and warmup > epochs:
        raise InputError(
            f"a warm-up of {warmup} epochs never ends in a training of {epochs}: "
            f"lower kl_warmup_epochs to {epochs} at most, or train longer"
        )
    if schedule == "cyclical" and cycles is not None and cycles > epochs:
        raise InputError(
            f"{cycles} cycles need as many epochs, not {epochs}: lower kl_cycles to {epochs} at most, or train longer"
        )


def _check_objective(given: Mapping[str, object]) -> None:
    schedule, kl_weight = given["kl_schedule"], given.get("kl_weight")
    free_bits, rate, distortion = given["free_bits"], given["target_rate"], given["target_distortion"]
    if free_bits and rate is not None:
        raise InputError("free_bits and target_rate both rule the rate: set free_bits to 0 or leave target_rate empty")
    if free_bits and distortion is not None:
        raise InputError(
            "free_bits hide the rate from a target_distortion: set free_bits to 0 or leave target_distortion empty"
        )
    if rate is not None and distortion is not None:
        raise InputError("target_rate and target_distortion cannot both be met: leave one of them empty")
    if rate is not None and schedule == "cyclical":
        raise InputError("a target_rate is raised once: kl_schedule must be constant, linear or cosine, not cyclical")
    if rate is not None and kl_weight == 0:
        raise InputError("a target_rate needs a kl_weight above 0, the cost of each nat that the rate is away from it")
    if distortion is not None and schedule not in (None, "constant"):
        raise InputError(f"a target_distortion finds its own weight: kl_schedule must be constant, not {schedule}")
    if distortion is not None and kl_weight == 0:
        raise InputError("a target_distortion needs a kl_weight above 0 to start from: it is multiplied, so 0 stays 0")


def _check_likelihood(given: Mapping[str, object]) -> None:
    likelihood, variance, binarise = given["likelihood"], given["pixel_variance"], given["binarise"]
    if binarise not in (None, "no") and likelihood in DENSITIES:
        raise InputError(
            f"{likelihood} is a density of grey pixels, and binarise={binarise} leaves none: "
            "take likelihood=bernoulli or binarise=no"
        )
    if variance not in (None, 1) and likelihood not in (None, "gaussian"):
        raise InputError(f"{likelihood} has no pixel_variance to choose: leave it at 1, or take gaussian")
