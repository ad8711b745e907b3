import pytest

from vae_core.errors import InputError
from vae_core.likelihoods import likelihood_of
from vae_core.settings import CHOICES, DEFAULTS, DENSITIES, check_settings

RUN = {**DEFAULTS, "kl_weight": 1.0, "epochs": 40, "batch_size": 128, "learning_rate": 1e-3, "hidden_units": 512}
RUN |= {"seed": 0, "threads": 1, "dataset": "digits"}

REFUSED = [
    ({"latent_dim": 0}, "latent_dim must be at least 1, not 0"),
    ({"latent_dim": 129}, "latent_dim must be at most 128, not 129"),
    ({"latent_dim": 2.0}, "latent_dim must be a whole number"),
    ({"kl_schedule": "warmup"}, "kl_schedule must be one of constant, linear, cosine, cyclical, not 'warmup'"),
    (
        {"likelihood": "laplace"},
        "likelihood must be one of bernoulli, continuous_bernoulli, gaussian, gaussian_learned",
    ),
    ({"binarise": True}, "binarise must be one of no, threshold, each_epoch, not True"),
    ({"kl_warmup_epochs": 0}, "kl_warmup_epochs must be at least 1"),
    ({"kl_warmup_epochs": 2.5}, "kl_warmup_epochs must be a whole number"),
    ({"kl_cycles": 0}, "kl_cycles must be at least 1"),
    ({"kl_ramp": 0}, "kl_ramp must be greater than 0"),
    ({"kl_ramp": 1.1}, "kl_ramp must be at most 1"),
    ({"free_bits": -0.1}, "free_bits must be at least 0"),
    ({"free_bits": None}, "free_bits must be a finite number"),
    ({"target_rate": -1}, "target_rate must be at least 0"),
    ({"target_rate": "ten"}, "target_rate must be a finite number, not 'ten'"),
    ({"target_distortion": float("nan")}, "target_distortion must be a finite number"),
    ({"pixel_variance": 0, "likelihood": "gaussian"}, "pixel_variance must be greater than 0"),
    ({"kl_weight": -1}, "kl_weight must be at least 0"),
    ({"kl_schedule": "linear", "epochs": 9}, "a warm-up of 10 epochs never ends in a training of 9: lower kl_warmup_e"),
    ({"kl_schedule": "cosine", "kl_warmup_epochs": 41}, "a warm-up of 41 epochs never ends in a training of 40"),
    (
        {"kl_schedule": "linear", "epochs": 9, "target_rate": 5},
        "a warm-up of 10 epochs never ends in a training of 9",
    ),
    ({"kl_schedule": "cyclical", "epochs": 3}, "4 cycles need as many epochs, not 3: lower kl_cycles to 3 at most"),
    (
        {"free_bits": 0.5, "target_rate": 5},
        "free_bits and target_rate .* set free_bits to 0 or leave target_rate empty",
    ),
    ({"free_bits": 0.5, "target_distortion": 90}, "free_bits .* target_distortion: .* leave target_distortion empty"),
    ({"target_rate": 0, "target_distortion": 0}, "target_rate and target_distortion .* leave one of them empty"),
    ({"target_rate": 5, "kl_schedule": "cyclical"}, "a target_rate .* kl_schedule must be constant, linear or cosine"),
    ({"target_distortion": 90, "kl_schedule": "linear"}, "a target_distortion .* must be constant, not linear"),
    ({"target_rate": 5, "kl_weight": 0}, "a target_rate needs a kl_weight above 0"),
    ({"target_distortion": 90, "kl_weight": 0}, "a target_distortion needs a kl_weight above 0 to start from"),
    *(
        ({"likelihood": likelihood, "binarise": binarise}, f"{likelihood} is a density .*binarise={binarise}")
        for likelihood in DENSITIES
        for binarise in ("threshold", "each_epoch")
    ),
    *(
        (
            {"likelihood": likelihood, "pixel_variance": 0.1},
            f"{likelihood} has no pixel_variance to choose: leave it at 1",
        )
        for likelihood in CHOICES["likelihood"]
        if likelihood != "gaussian"
    ),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED)
def test_settings_that_no_training_can_use_are_refused_in_one_short_line(changed, message):
    with pytest.raises(InputError, match=f"^{message}") as caught:
        check_settings(RUN | changed)
    assert len(str(caught.value)) < 160
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=f"^{message}"):  # also where a notebook has no more parameters than needed
        check_settings({"epochs": RUN["epochs"]} | {name: RUN[name] for name in NEEDED} | changed)


NEEDED = ("kl_warmup_epochs", "kl_cycles")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"latent_dim": 1},
        {"latent_dim": 128},
        {"epochs": 1},  # the schedule is constant: its warm-up is of no account
        {"kl_schedule": "linear", "epochs": 10},
        {"kl_schedule": "cyclical", "epochs": 4, "kl_ramp": 1},
        {"kl_schedule": "cosine", "target_rate": 5.0},
        {"kl_schedule": "cyclical", "free_bits": 0.5, "kl_weight": 0},
        {"target_rate": 0},
        {"target_distortion": -300.5, "likelihood": "gaussian_learned_variance"},
        {"likelihood": "gaussian", "pixel_variance": 0.01},
        {"likelihood": "bernoulli", "binarise": "each_epoch"},
    ],
)
def test_settings_that_a_training_can_use_pass(changed):
    check_settings(RUN | changed)


def test_only_names_that_are_given_are_looked_at():
    check_settings({})
    check_settings({"architecture": "conv", "epochs": 1, "kl_warmup_epochs": 10, "likelihood": "gaussian"})
    check_settings({"kl_schedule": "linear", "epochs": 1})  # it has no warm-up that could be too long
    check_settings({"pixel_variance": 0.5, "binarise": "threshold"})


def test_densities_are_what_the_likelihoods_say():
    assert {name for name in CHOICES["likelihood"] if likelihood_of(name).density} == set(DENSITIES)
