"""Run folders to one offline page with the latent space, live."""

from vae_core.explorer.page import embedded, explorer_page, write_explorer

__all__ = ["embedded", "explorer_page", "write_explorer"]
