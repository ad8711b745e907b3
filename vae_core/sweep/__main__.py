"""python -m vae_core.sweep: see `vae_core.sweep.command`."""

import sys

from vae_core.startup import prepare

if __name__ == "__main__":  # Dask's workers import this file again, and need nothing of what the command imports
    prepare("sweep")
    from vae_core.sweep.command import main

    sys.exit(main())
