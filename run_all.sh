#!/usr/bin/env bash
# Set-up, then the sweep with its report, or the tests. `./run_all.sh --help` says more.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$root/.venv/bin/python

usage() {
    cat <<'HELP'
./run_all.sh [OPTIONS]   set up .venv, run the sweep over the KL weights, write its report
./run_all.sh test [...]  set up .venv, run ruff and the tests; what follows goes to pytest
./run_all.sh lessons     run every lesson at its full settings into results/lessons/
./run_all.sh publish     run the lessons and the authors' full sweep (MNIST, 3 seeds) into results/published/
./run_all.sh --help      this text, and the options of the sweep

Started again, the set-up skips what is installed and the sweep what is done. Examples:

  ./run_all.sh                               MNIST, 8 weights, 40 epochs (digits if MNIST cannot be had)
  ./run_all.sh --dataset digits              a look in a few minutes, no network for data
  ./run_all.sh --kl-weights 0.25 0.75 --seeds 0 1 2
  VAE_DATA_DIR=~/data ./run_all.sh           take the data from ~/data/mnist/*.gz
  PYTHON=python3.12 ./run_all.sh             choose the Python for .venv

HELP
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "run_all.sh: needs Python 3.11, 3.12 or 3.13; ${PYTHON:-what is installed} is none: install one or name it" \
        "with PYTHON=/path/to/python3" >&2
    exit 2
}

# What .venv was made from: the same text means that nothing is left to do. The place is in it since an environment
# that was copied or moved along with the folder would go on using the old one.
stamp() {
    echo "$root"
    cat "$root/requirements.txt"
}

set_up() {
    if [ -x "$python" ] && stamp | cmp --silent - "$root/.venv/installed"; then
        return
    fi
    local base
    base=$(find_python)
    echo "Setting up .venv with $("$base" --version) (about 2 GB, a minute or two) ..." >&2
    "$base" -m venv --clear "$root/.venv"
    (cd "$root" && "$python" -m pip install --quiet --disable-pip-version-check -r requirements.txt)
    stamp >"$root/.venv/installed"
}

# The first three make an executed notebook; the others a run folder each, and started again skip what is done.
run_lessons() {
    local lesson
    for lesson in 00_the_prior which_weight_are_you_using bug_gallery; do
        echo "$lesson ..." >&2
        "$python" -m vae_core.notebooks "notebooks/$lesson.ipynb" "$1/lessons/$lesson.ipynb"
    done
    for lesson in elbo_and_kl dense_vae_fashion conv_vae_binarized_mnist conv_vae_fashion autoencoder_vs_vae \
        conditional_vae; do
        echo "$lesson ..." >&2
        "$python" -m vae_core.sweep --notebook "$lesson" --workers 1 -p threads 2 --results "$1"
    done
}

case "${1:-}" in
-h | --help)
    usage
    if [ -e "$root/.venv/installed" ]; then
        "$python" -m vae_core.sweep --help
    else
        echo "Once .venv is set up, this text goes on with all options of the sweep."
    fi
    ;;
test)
    shift
    set_up
    cd "$root"
    "$python" -m ruff check .
    "$python" -m ruff format --check .
    "$python" -m pytest "$@"
    ;;
lessons)
    if [ $# -gt 1 ]; then
        echo "run_all.sh: lessons takes no options: python -m vae_core.sweep --notebook NAME runs one with others" >&2
        exit 2
    fi
    set_up
    cd "$root"
    run_lessons results
    ;;
publish)
    set_up
    cd "$root"
    run_lessons results/published
    "$python" -m vae_core.sweep --dataset mnist --seeds 0 1 2 --results results/published
    ;;
[!-]*)
    echo "run_all.sh: no command '$1': there are test, lessons and publish, and the options of the sweep (--help)" >&2
    exit 2
    ;;
*)
    set_up
    "$python" -m vae_core.sweep "$@"
    ;;
esac
