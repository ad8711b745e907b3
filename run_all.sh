#!/usr/bin/env bash
# Set-up, then the sweep with its report, or the tests. `./run_all.sh --help` says more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    cat <<'HELP'
./run_all.sh [OPTIONS]   set up .venv, run the sweep over the KL weights, write its report
./run_all.sh test [...]  set up .venv, run ruff and the tests; what follows goes to pytest
./run_all.sh publish     run the authors' full sweep (MNIST, 3 seeds) into results/published/
./run_all.sh --help      this text, and the options of the sweep

Started again, the set-up skips what is installed and the sweep what is done. Examples:

  ./run_all.sh                               MNIST, 8 weights, 40 epochs (digits if MNIST cannot be had)
  ./run_all.sh --dataset digits --epochs 5   a look in under two minutes, no network for data
  ./run_all.sh --kl-weights 0.25 0.75 --seeds 0 1 2
  VAE_DATA_DIR=~/data ./run_all.sh           take the data from ~/data/mnist/*.gz
  PYTHON=python3.12 ./run_all.sh             choose the Python for .venv

HELP
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "run_all.sh: needs Python 3.11, 3.12 or 3.13 and found none: install one, or name it with PYTHON=/path/to/python3" >&2
    exit 2
}

# .venv/installed holds the requirements that were installed last: the same text means that nothing is left to do.
set_up() {
    if cmp --silent requirements.txt .venv/installed && [ -x .venv/bin/python ]; then
        return
    fi
    local python
    python=$(find_python)
    echo "Setting up .venv with $("$python" --version) (about 2 GB, a minute or two) ..." >&2
    "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
    cp requirements.txt .venv/installed
}

case "${1:-}" in
-h | --help)
    usage
    if [ -x .venv/bin/python ]; then .venv/bin/python -m vae_core.sweep --help; fi
    ;;
test)
    shift
    set_up
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/python -m pytest "$@"
    ;;
publish)
    set_up
    .venv/bin/python -m vae_core.notebooks notebooks/00_the_prior.ipynb results/published/lessons/00_the_prior.ipynb
    .venv/bin/python -m vae_core.sweep --dataset mnist --seeds 0 1 2 --results results/published
    ;;
*)
    set_up
    .venv/bin/python -m vae_core.sweep "$@"
    ;;
esac
