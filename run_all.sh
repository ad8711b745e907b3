#!/usr/bin/env bash
# Set-up, then the sweep with its report, lessons, book, JupyterLab or tests. `./run_all.sh --help` says more.
if [ -z "${BASH_VERSION:-}" ]; then # typed as `sh run_all.sh`, and sh is another shell here
    exec bash "$0" "$@"
fi
set -euo pipefail
unset CDPATH # with it, cd goes elsewhere and prints where
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
python=$root/.venv/bin/python
export PYTHONUTF8=1 # in a locale of ASCII Python could not read our notebooks

usage() {
    cat <<'HELP'
./run_all.sh [OPTIONS]   set up .venv, run the sweep over the KL weights, write
                         its report (about 8 minutes on two cores, two or three
                         of them for the set-up)
./run_all.sh lab [...]   set up .venv, open notebooks/ in JupyterLab; what
                         follows goes to jupyter lab
./run_all.sh book [...]  build results/book/, pages to read in a browser, also
                         offline: your executed notebooks, and the authors'
                         where you have none (less than a minute); results
                         folders that follow are taken instead
./run_all.sh lessons     run every lesson at its full settings into
                         results/lessons/ (about five hours on two cores)
./run_all.sh publish     run the lessons and the authors' full sweep (MNIST,
                         3 seeds) into results/published/
                         (over six hours on two cores)
./run_all.sh test [...]  set up .venv, run ruff and the tests (about 14 minutes
                         on two cores); what follows goes to pytest
./run_all.sh --help      this text, and the options of the sweep

Started again, the set-up skips what is installed and the sweep what is done.
Examples:

  ./run_all.sh                    MNIST, 8 weights, 40 epochs (digits if MNIST
                                  is not available)
  ./run_all.sh --dataset digits   a look in a few minutes, no network for data
  ./run_all.sh --kl-weights 0.25 0.75 --seeds 0 1 2
  VAE_DATA_DIR=~/data ./run_all.sh   take the data from ~/data/mnist/*.gz
  PYTHON=python3.12 ./run_all.sh     choose the Python for .venv

HELP
}

# What is said must not end the script, even if stderr is closed.
say() {
    echo "$@" >&2 || true
}

fail() {
    say "run_all.sh: $*"
    exit 2
}

# Whether a program is a Python that will do. What it says of itself is kept: pyenv's explains what to do.
is_usable() {
    local said
    command -v "$1" >/dev/null || return 1
    said=$("$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>&1) && return
    explained+=${said:+$said$'\n'}
    return 1
}

find_python() {
    local candidate explained="" candidates=(python3 python3.13 python3.12 python3.11 python)
    [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        if is_usable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    [ -z "$explained" ] || say "${explained%$'\n'}"
    fail "needs Python 3.11, 3.12 or 3.13; ${PYTHON:-what is installed} is none: install one or name it" \
        "with PYTHON=/path/to/python3"
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
    [ -w "$root" ] || fail "$root cannot be written, and .venv has to stand there: copy the folder to a place of yours"
    trap 'end_line; say "run_all.sh: interrupted; started again, the set-up begins anew"; exit 130' INT
    say "Setting up .venv with $("$base" --version): 2.9 GB, two or three minutes"
    "$base" -m venv --clear "$root/.venv" >&2 || fail "$base could not make $root/.venv: the lines above say why"
    install "$root/.venv/installation.log"
    mkdir -p "$root/.venv/etc/jupyter"
    cp "$root/notebooks/.jupyter/jupyter_server_config.py" "$root/.venv/etc/jupyter/"
    stamp >"$root/.venv/installed"
    trap - INT
}

# What pip and the first import say goes to a log; what a person sees is how far they are.
install() {
    local log=$1 watcher
    watch_installation "$log" &
    watcher=$!
    trap 'kill '"$watcher"' 2>/dev/null || true' EXIT
    if ! install_requirements "$log"; then
        end_line
        fail "the installation failed: $(cause "$log") (all that pip said: $log); mend that and start again"
    fi
    kill "$watcher"
    wait "$watcher" 2>/dev/null || true
    trap - EXIT
    end_line
}

# PIP_USER: some people's pip.conf asks for --user, which no virtual environment takes. The import shows that the
# packages are where they should be, and compiles them.
install_requirements() (
    exec >"$1" 2>&1
    cd "$root"
    PIP_USER=0 "$python" -m pip install --disable-pip-version-check --progress-bar off -r requirements.txt &&
        "$python" -c "import vae_core.sweep.command"
)

# On a terminal one line that is written anew every second, elsewhere a line per minute.
watch_installation() {
    local log=$1 seconds=60 start="" end="\n"
    if [ -t 2 ]; then
        seconds=1 start="\r\033[K" end=""
    fi
    while sleep "$seconds" >/dev/null 2>&1; do
        printf "$start%.79s$end" "$(installed_so_far 2>/dev/null) $(tail -n 1 "$log")" >&2
    done
}

installed_so_far() {
    printf '%d:%02d, %d MB:' $((SECONDS / 60)) $((SECONDS % 60)) $(($(du -sk "$root/.venv" | cut -f 1) / 1024))
}

end_line() {
    [ ! -t 2 ] || say
}

# The last error that pip names, or else its last line.
cause() {
    grep '^ERROR: ' "$1" | tail -n 1 | grep . || tail -n 1 "$1"
}

help() {
    usage
    if [ -e "$root/.venv/installed" ]; then
        "$python" -m vae_core.sweep --help
    else
        echo "Once .venv is set up, this text goes on with all options of the sweep."
    fi
}

# A misspelt option is told before the set-up takes its minutes. Python's own check knows more, and comes after it.
check_options() {
    local word known command=$1
    shift
    known=$(grep -so '"--[a-z-]*"' "$root/vae_core/$command/command.py" | tr -d '"') || return 0
    for word in "$@"; do
        case "$word" in
        --?*) grep -q -e "^${word%%=*}" <<<"$known" || fail "unknown option $word (--help lists the options)" ;;
        esac
    done
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
        fail "$command takes no options: python -m vae_core.sweep --notebook NAME runs one lesson with others"
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
book)
    shift
    if [[ " $* " == *" -h "* || " $* " == *" --help "* ]]; then
        usage
        exit
    fi
    check_options book "$@"
    set_up
    exec "$python" -m vae_core.book "$@"
    ;;
lessons)
    refuse_options "$@"
    set_up
    cd "$root"
    exec "$python" -m vae_core.sweep.lessons --results results
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
    fail "no command '$1': there are book, lab, lessons, publish and test, and the options of the sweep (--help)"
    ;;
*)
    check_options sweep "$@"
    set_up
    exec "$python" -m vae_core.sweep "$@" # in this process: what ends it, ends the sweep
    ;;
esac
