"""What `notebooks/conditional_vae` needs."""
