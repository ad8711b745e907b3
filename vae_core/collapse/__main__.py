"""python -m vae_core.collapse: see `vae_core.collapse.command`."""

import sys

from vae_core.startup import prepare

if __name__ == "__main__":
    prepare("collapse")
    from vae_core.collapse.command import main

    sys.exit(main())
