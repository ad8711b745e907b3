"""Runs a notebook once per weight and seed through papermill, and collects what comes out. No Keras here."""
