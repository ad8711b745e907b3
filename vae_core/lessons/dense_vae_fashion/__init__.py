"""What `notebooks/dense_vae_fashion` needs."""
