"""Ways to set the weight on the KL term while training, compared: what `notebooks/kl_schedules` needs."""
