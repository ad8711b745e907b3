"""A VAE in the cells of a notebook: what `notebooks/vae_from_scratch` and its exercise need beside them."""
