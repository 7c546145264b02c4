#!/usr/bin/env bash
# Runs `ansible-test sanity` on what users install: the built artifact, laid out as a collection. Tests that need containers or
# PowerShell leave themselves out. Called by `make sanity` with .venv/bin first on PATH; arguments go to ansible-test.
set -euo pipefail
cd "$(dirname "$0")/.."

# ansible-test keeps its virtual environments in the home directory, so it gets one of its own.
home=$PWD/.cache/sanity/home
# Outside the clone, because ansible-test asks git which files there are.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
collection=$work/ansible_collections/laptop/containers
mkdir -p "$collection/tests" "$home/.ansible/test/cache" "$home/.config/pip"

ansible-galaxy collection build --output-path "$work" >/dev/null
tar -xzf "$work"/laptop-containers-*.tar.gz -C "$collection"
cp galaxy.yml "$collection"
cp -R tests/sanity tests/config.yml "$collection/tests"

# ansible-test hides the environment from pip; a company's certificates and indexes come as configuration instead.
env | sed -n "s/^PIP_\([A-Z_]*\)=\(.*\)$/\1 \2/p" | while read -r name value; do
  printf '%s = %s\n' "$(tr 'A-Z_' 'a-z-' <<<"$name")" "$value"
done | { echo '[global]'; cat; [ -n "${PIP_CERT:-}" ] || [ -z "${SSL_CERT_FILE:-}" ] || echo "cert = $SSL_CERT_FILE"; } >"$home/.config/pip/pip.conf"

# ansible-test gets the script that installs pip from its own host; Python has the same on board.
python - "$home/.ansible/test/cache" <<'PYTHON'
import re
import sys
from pathlib import Path

import ansible_test

source = (Path(ansible_test.__file__).parent / "_internal" / "python_requirements.py").read_text()
version = re.search(r"pip='([0-9.]+)'", source).group(1)
Path(sys.argv[1], f"get_pip_{version.replace('.', '_')}.py").write_text("""\
import subprocess, sys
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
packages = [word for word in sys.argv[1:] if not word.startswith("--no-")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *packages]))
""")
PYTHON

cd "$collection"
version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
HOME=$home ansible-test sanity --python "$version" --color no "$@" 2>&1 | grep -Ev '^(Collecting|  +Downloading|Installing|Successfully|Using cached|     ━)'
