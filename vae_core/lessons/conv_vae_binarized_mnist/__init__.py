"""What `notebooks/conv_vae_binarized_mnist` needs."""
