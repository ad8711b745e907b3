"""What `notebooks/conv_vae_fashion` needs."""
