"""The lesson `one_network_every_weight`."""
