"""What the weight on the KL term does to a variational autoencoder.

The thin core is `data`, `losses`, `likelihoods`, `models`, `training` and `latent`. Every run needs `runs`,
`parameters`, `errors`, `progress` and `backend`. Each other job has a package of its own.
"""
