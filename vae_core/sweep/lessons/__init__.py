"""Runs every lesson at its full settings."""
