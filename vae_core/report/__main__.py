"""python -m vae_core.report: see `vae_core.report.command`."""

import sys

from vae_core.startup import prepare

if __name__ == "__main__":
    prepare("report")
    from vae_core.report.command import main

    sys.exit(main())
