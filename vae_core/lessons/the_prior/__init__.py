"""What `notebooks/the_prior` needs."""
