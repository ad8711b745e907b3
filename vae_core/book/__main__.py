"""python -m vae_core.book: see `vae_core.book.command`."""

import sys

from vae_core.startup import prepare

if __name__ == "__main__":
    prepare("book")
    from vae_core.book.command import main

    sys.exit(main())
