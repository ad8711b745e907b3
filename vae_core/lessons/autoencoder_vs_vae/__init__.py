"""What `notebooks/autoencoder_vs_vae` needs."""
