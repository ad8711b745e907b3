"""What the weight on the KL term does to a variational autoencoder: models, losses, measures, figures and the sweep."""
