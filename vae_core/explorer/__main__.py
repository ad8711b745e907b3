"""Write explorer.html from run folders.

python -m vae_core.explorer results/kl_sweep/mnist
"""

import argparse
import sys
from collections.abc import Sequence

from vae_core.errors import InputError
from vae_core.explorer.page import write_explorer
from vae_core.runs import user_folder
from vae_core.startup import prepare


def main(arguments: Sequence[str] | None = None) -> int:
    """Write explorer.html from run folders. Returns 2 if there is nothing to show, or nowhere to write it."""
    parser = argparse.ArgumentParser(prog="python -m vae_core.explorer", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sweep_dir", help="folder of a sweep, such as results/kl_sweep/mnist, or of one run")
    try:
        print(write_explorer(user_folder(parser.parse_args(arguments).sweep_dir, "the folder")))
    except (InputError, OSError) as error:
        print(f"explorer: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    prepare("explorer")
    sys.exit(main())
