# Sourced by run_all.sh and tests/run.sh, in the repository's root: sets PYTHON to an interpreter that
# has what pyproject.toml asks for.  An active environment is used if it has it all; otherwise .venv is
# made, or updated, from requirements.lock.  With KERAS_BACKEND=jax these are .venv-jax and
# requirements-jax.lock, without TensorFlow; the same with torch.

backend=${KERAS_BACKEND:-tensorflow}
case $backend in
    tensorflow) venv=.venv lock=requirements.lock ;;
    jax | torch) venv=.venv-$backend lock=requirements-$backend.lock ;;
    *)
        echo "error: KERAS_BACKEND is $backend; it can be tensorflow, jax or torch" >&2
        exit 2
        ;;
esac

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
    # The lock, the project's own list, and what else is installed.
    cat "$lock" pyproject.toml
    extras
}

extras() {
    # CUDA libraries for an NVIDIA GPU; those of torch are in its lock.
    [ "$backend" != torch ] && has_gpu && echo "[$backend-cuda]"
    return 0
}

has_gpu() {
    [ "$(uname -s)" = Linux ] && command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1
}

make_venv() {
    local base pip
    if [ ! -x $venv/bin/pip ]; then  # comes last
        base=$(find_python) || return 1
        echo "setting up $venv with $("$base" --version) (once, a few minutes) …"
        "$base" -m venv $venv || {
            echo "error: $base cannot make a virtual environment (on Debian: apt install python3-venv)" >&2
            rm -rf $venv
            return 1
        }
    elif ! wanted_state | cmp -s - $venv/installed; then
        echo "updating $venv …"
    fi
    wanted_state | cmp -s - $venv/installed && return
    pip="$venv/bin/python -m pip install --quiet --disable-pip-version-check"
    $pip -r "$lock" || return 1
    # The project itself has no hash; --no-deps, because the lock has it all but CUDA.
    $pip --no-deps -e . || return 1
    [ -z "$(extras)" ] || $pip -e ".$(extras)" || return 1
    wanted_state > $venv/installed
}

PYTHON=
if [ -n "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ] && command -v python >/dev/null; then
    if lacking=$(python lib/requirements.py 2>/dev/null); then
        PYTHON=$(command -v python)
    else
        echo "the active environment lacks ${lacking:-what the project needs}: using $venv"
    fi
fi
if [ -z "$PYTHON" ]; then
    make_venv || exit 1
    PYTHON=$PWD/$venv/bin/python
fi
# An active environment need not have the project itself installed.
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
# Jupyter's own notices about its folders and the debugger belong in no log of ours.
export JUPYTER_PLATFORM_DIRS=1 PYDEVD_DISABLE_FILE_VALIDATION=1
