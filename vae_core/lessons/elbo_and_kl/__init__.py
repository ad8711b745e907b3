"""The ELBO and its KL terms: what `notebooks/elbo_and_kl` needs."""
