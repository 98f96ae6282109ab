# Sourced by run_all.sh and tests/run.sh, in the repository's root: sets PYTHON to an interpreter that
# has what pyproject.toml asks for.  An active environment is used if it has it all; otherwise .venv is
# made, or updated, from requirements.lock.

find_python() {
    local candidate
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "error: Python 3.11, 3.12 or 3.13 is needed, and none of them is on the PATH" >&2
    return 1
}

wanted_state() {
    # The lock, the project's own list, and whether the GPU libraries belong to it.
    cat requirements.lock pyproject.toml
    has_gpu && echo cuda
    return 0
}

has_gpu() {
    [ "$(uname -s)" = Linux ] && command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1
}

make_venv() {
    local base
    if [ ! -x .venv/bin/python ]; then
        base=$(find_python) || return 1
        echo "setting up .venv with $("$base" --version) (once, a few minutes) …"
        "$base" -m venv .venv || {
            echo "error: $base cannot make a virtual environment (on Debian: apt install python3-venv)" >&2
            rm -rf .venv
            return 1
        }
    elif ! wanted_state | cmp -s - .venv/installed; then
        echo "updating .venv …"
    fi
    wanted_state | cmp -s - .venv/installed && return
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock || return 1
    if has_gpu; then
        .venv/bin/python -m pip install --quiet --disable-pip-version-check -c requirements.lock '.[cuda]' || return 1
    fi
    # --no-deps, because the lock has it all.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e . || return 1
    wanted_state > .venv/installed
}

PYTHON=
if [ -n "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ] && command -v python >/dev/null; then
    if lacking=$(python lib/requirements.py 2>/dev/null); then
        PYTHON=$(command -v python)
    else
        echo "the active environment lacks ${lacking:-what the project needs}: using .venv"
    fi
fi
if [ -z "$PYTHON" ]; then
    make_venv || exit 1
    PYTHON=$PWD/.venv/bin/python
fi
# An active environment need not have the project itself installed.
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
# Jupyter's own notices about its folders and the debugger belong in no log of ours.
export JUPYTER_PLATFORM_DIRS=1 PYDEVD_DISABLE_FILE_VALIDATION=1
