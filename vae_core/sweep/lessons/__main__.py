"""python -m vae_core.sweep.lessons: see `vae_core.sweep.lessons.command`."""

import sys

from vae_core.startup import prepare

if __name__ == "__main__":  # Dask's workers import this file again
    prepare("lessons")
    from vae_core.sweep.lessons.command import main

    sys.exit(main())
