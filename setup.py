"""Which packages an install has: all of vae_core, and notebooks/ as vae_core.notebooks. All else: pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["vae_core", "vae_core.*"]), "vae_core.notebooks"],
    package_dir={"vae_core.notebooks": "notebooks"},
)
