#!/usr/bin/env bash
# Installs the real clients that the tests drive, each apart from the others and from our own environment:
#
#   install.sh DIR    makes DIR/cli (AWS CLI), DIR/boto2 (boto 2), DIR/js (the JavaScript SDK) and DIR/ansible (Ansible)
#
# PYTHON names the interpreter to use; without it, python3.11 or python3. What cannot run here is left out, saying why;
# its tests are then skipped. Run again, it brings DIR to the pinned versions and keeps what is there already.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
target=$(cd "$1" && pwd)
python=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
[ -n "$python" ] || { echo "$0: no Python found: install python3.11, or name one with PYTHON=" >&2; exit 1; }

say() { echo "  $*"; }

# Nothing; the environment $1 on the interpreter $2 holds what the file $3 lists.
python_environment() {
    if ! "$1/bin/python" -c '' 2>/dev/null; then
        "$2" -m venv --clear "$1" || { echo "$0: $2 cannot make environments: install its venv module" >&2; exit 1; }
    fi
    "$1/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --requirement "$3"
}

# The first interpreter that boto 2 still imports on: it needs a form of import hook that Python 3.12 took away.
python_for_boto2() {
    local candidate
    for candidate in "$python" python3.11 python3.10 python3.9; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info >= (3, 12))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

# Why the JavaScript SDK cannot be installed here; nothing when it can.
javascript_obstacle() {
    command -v node >/dev/null || { echo "there is no node"; return; }
    command -v npm >/dev/null || { echo "there is no npm"; return; }
    node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
        echo "node $(node --version) is too old, it needs 20"
}

say "AWS CLI: $(sed -n 's/^awscli==//p' "$here/requirements-cli.txt")"
python_environment "$target/cli" "$python" "$here/requirements-cli.txt"

boto2_python=$(python_for_boto2)
if [ -n "$boto2_python" ]; then
    say "boto 2: $(sed -n 's/^boto==//p' "$here/requirements-boto2.txt")"
    python_environment "$target/boto2" "$boto2_python" "$here/requirements-boto2.txt"
else
    say "boto 2: left out, it needs Python 3.11 or older and $python is newer: install python3.11"
fi

obstacle=$(javascript_obstacle)
if [ -z "$obstacle" ]; then
    say "JavaScript SDK: $(sed -n 's/.*client-auto-scaling": "\(.*\)".*/\1/p' "$here/package.json")"
    mkdir -p "$target/js"
    if ! cmp --silent "$here/package-lock.json" "$target/js/installed"; then
        cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$target/js/"
        (cd "$target/js" && npm ci --loglevel=error >/dev/null)
        cp "$here/package-lock.json" "$target/js/installed"
    fi
else
    say "JavaScript SDK: left out, $obstacle: install Node.js 20 or newer with npm"
fi

# Last, as it takes longer than all the others together: 40 s, and 583 MB on the disk.
say "Ansible: $(sed -n 's/^ansible==//p' "$here/requirements-ansible.txt") (the largest, about 40 s)"
if ! cmp --silent "$here/requirements-ansible.txt" "$target/ansible/installed"; then
    python_environment "$target/ansible" "$python" "$here/requirements-ansible.txt"
    cp "$here/requirements-ansible.txt" "$target/ansible/installed"
fi
