#!/usr/bin/env bash
# Set-up, then the sweep with its report, the lessons, JupyterLab or the tests. `./run_all.sh --help` says more.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$root/.venv/bin/python

usage() {
    cat <<'HELP'
./run_all.sh [OPTIONS]   set up .venv, run the sweep over the KL weights, write its report
./run_all.sh lab [...]   set up .venv, open notebooks/ in JupyterLab; what follows goes to jupyter lab
./run_all.sh lessons     run every lesson at its full settings into results/lessons/ (about 100 minutes on two cores)
./run_all.sh publish     run the lessons and the authors' full sweep (MNIST, 3 seeds) into results/published/
                         (over 2 hours on two cores)
./run_all.sh test [...]  set up .venv, run ruff and the tests (about 15 minutes on two cores); the rest goes to pytest
./run_all.sh --help      this text, and the options of the sweep

Started again, the set-up skips what is installed and the sweep what is done. Examples:

  ./run_all.sh                               MNIST, 8 weights, 40 epochs (digits if MNIST is not available)
  ./run_all.sh --dataset digits              a look in a few minutes, no network for data
  ./run_all.sh --kl-weights 0.25 0.75 --seeds 0 1 2
  VAE_DATA_DIR=~/data ./run_all.sh           take the data from ~/data/mnist/*.gz
  PYTHON=python3.12 ./run_all.sh             choose the Python for .venv

HELP
}

is_usable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        if is_usable "$PYTHON"; then
            echo "$PYTHON"
            return
        fi
    else
        for candidate in python3 python3.13 python3.12 python3.11 python; do
            if is_usable "$candidate"; then
                echo "$candidate"
                return
            fi
        done
    fi
    echo "run_all.sh: needs Python 3.11, 3.12 or 3.13; ${PYTHON:-what is installed} is none: install one or name it" \
        "with PYTHON=/path/to/python3" >&2
    exit 2
}

# What .venv was made from: the same text means that nothing is left to do. The place is in it since an environment
# that was copied or moved along with the folder would go on using the old one.
stamp() {
    echo "$root"
    cat "$root/requirements.txt" "$root/notebooks/.jupyter/jupyter_server_config.py"
}

set_up() {
    if [ -x "$python" ] && stamp | cmp --silent - "$root/.venv/installed"; then
        return
    fi
    local base
    base=$(find_python)
    echo "Setting up .venv with $("$base" --version) (about 2.7 GB, a minute or two) ..." >&2
    "$base" -m venv --clear "$root/.venv"
    (cd "$root" && "$python" -m pip install --quiet --disable-pip-version-check -r requirements.txt)
    mkdir -p "$root/.venv/etc/jupyter"
    cp "$root/notebooks/.jupyter/jupyter_server_config.py" "$root/.venv/etc/jupyter/"
    stamp >"$root/.venv/installed"
}

help() {
    usage
    if [ -e "$root/.venv/installed" ]; then
        "$python" -m vae_core.sweep --help
    else
        echo "Once .venv is set up, this text goes on with all options of the sweep."
    fi
}

# `lessons` and `publish` take hours and no options: a slip of the keyboard must not start them.
refuse_options() {
    local command=$1
    shift
    case "${1:-}" in
    "") ;;
    -h | --help)
        usage
        exit
        ;;
    *)
        echo "run_all.sh: $command takes no options: python -m vae_core.sweep --notebook NAME runs one lesson with" \
            "others" >&2
        exit 2
        ;;
    esac
}

# Some commands run in another folder than the one where they were typed.
case "${VAE_DATA_DIR:-/}" in
/* | "~"*) ;;
*) export VAE_DATA_DIR=$PWD/$VAE_DATA_DIR ;;
esac

case "${1:-}" in
-h | --help)
    help
    ;;
lab)
    shift
    set_up
    cd "$root"
    exec "$root/.venv/bin/jupyter" lab notebooks/ "$@"
    ;;
lessons)
    refuse_options "$@"
    set_up
    cd "$root"
    "$python" -m vae_core.sweep.lessons --results results
    ;;
publish)
    refuse_options "$@"
    set_up
    cd "$root"
    "$python" -m vae_core.sweep.lessons --results results/published
    "$python" -m vae_core.sweep --dataset mnist --seeds 0 1 2 --results results/published
    ;;
test)
    shift
    set_up
    cd "$root"
    "$python" -m ruff check .
    "$python" -m ruff format --check .
    "$python" -m pytest -n logical --maxprocesses 8 --dist loadfile "$@"
    ;;
[!-]*)
    echo "run_all.sh: no command '$1': there are lab, lessons, publish and test, and the options of the sweep" \
        "(--help)" >&2
    exit 2
    ;;
*)
    set_up
    "$python" -m vae_core.sweep "$@"
    ;;
esac
