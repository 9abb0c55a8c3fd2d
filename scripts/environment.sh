# Sourced by the other scripts: makes .venv with tempseg and its tools, unless it is up to date.
# Sets BIN to its folder of programs.

BIN="$PWD/.venv/bin"

_make_environment() {
    local python stamp wanted
    wanted=$(cat pyproject.toml setup.py | cksum)
    stamp=.venv/made-from
    if [[ -f $stamp && $(cat "$stamp") == "$wanted" ]]; then
        return
    fi
    for python in python3.11 python3.12 python3.13 python3; do
        if command -v "$python" >/dev/null && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            break
        fi
        python=
    done
    if [[ -z $python ]]; then
        echo "error: tempseg needs Python 3.11 or newer; install it and run this again" >&2
        exit 2
    fi
    echo "Making .venv (about 3 GB; a few minutes on the first run)"
    "$python" -m venv .venv
    "$BIN/pip" install --quiet --upgrade pip
    "$BIN/pip" install --quiet --editable ".[dev]"
    echo "$wanted" >"$stamp"
}

_make_environment
