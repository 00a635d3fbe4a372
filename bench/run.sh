#!/usr/bin/env bash
# Sets up the peer (.venv-bench) when it is missing or its requirements changed, then measures. Arguments go to measure.
set -euo pipefail
cd "$(dirname "$0")/.."

peer=.venv-bench
if [ ! -e "$peer/installed" ] || [ bench/requirements-moto.txt -nt "$peer/installed" ]; then
    echo "Installing moto into $peer (about a minute) ..." >&2
    [ -x "$peer/bin/python" ] || "${PYTHON:-python3}" -m venv "$peer"
    "$peer/bin/python" -m pip install --quiet --disable-pip-version-check --requirement bench/requirements-moto.txt
    touch "$peer/installed"
fi
[ $# -gt 0 ] || .venv/bin/python -m bench.as_tools
exec .venv/bin/python -m bench.measure --moto "$peer/bin/moto_server" "$@"
