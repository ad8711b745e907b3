"""Runs a notebook once per weight and seed through papermill, and collects the results. No Keras here."""
