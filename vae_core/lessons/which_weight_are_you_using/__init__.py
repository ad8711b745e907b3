"""From a loss as it is written to its kl_weight: what `notebooks/which_weight_are_you_using` needs."""
