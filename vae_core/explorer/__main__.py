"""Write explorer.html from run folders.

python -m vae_core.explorer results/kl_sweep/mnist
python -m vae_core.explorer results/kl_sweep/faces --kl-weights 0 1 10
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
    parser = argparse.ArgumentParser(
        prog="python -m vae_core.explorer", description="Write explorer.html from run folders."
    )
    parser.add_argument("sweep_dir", help="folder of a sweep, such as results/kl_sweep/mnist, or of one run")
    parser.add_argument(
        "--kl-weights", type=float, nargs="+", default=(), metavar="WEIGHT", help="those to show; default: all"
    )
    options = parser.parse_args(arguments)
    try:
        page = write_explorer(user_folder(options.sweep_dir, "the folder"), options.kl_weights)
        print(f"{page} ({page.stat().st_size / 1e6:.1f} MB)")
    except (InputError, OSError) as error:
        print(f"explorer: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    prepare("explorer")
    sys.exit(main())
