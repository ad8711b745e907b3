"""The target of the KL term: what `notebooks/the_prior` needs."""
