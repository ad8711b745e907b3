"""What `notebooks/which_weight_are_you_using` needs."""
