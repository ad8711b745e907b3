"""What `notebooks/elbo_and_kl` needs."""
