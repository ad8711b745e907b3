"""python -m vae_core.sweep: see `vae_core.sweep.command`."""

import sys

if __name__ == "__main__":  # Dask's workers import this file again, and need nothing of what the command imports
    from vae_core.sweep.command import main

    sys.exit(main())
