"""Which weights on the KL term kill which latent units, told from the training images. Imports no Keras."""
