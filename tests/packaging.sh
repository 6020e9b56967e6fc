#!/bin/bash
# Tests that a wheel and an sdist install and serve outside of a checkout.
#
# From a clean checkout of HEAD: builds both, builds the wheel again from the sdist without npm,
# installs it into a fresh virtual environment with the hash-locked dependencies, and there runs the command
# `netmodes`: help, doctor, and up; reads the first page, styles and the charts' library.
#
# Usage, as root: tests/packaging.sh   (about a minute; ./netmodes check must have run once: it installs hatchling)
set -euo pipefail

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
python=${PYTHON:-${NETMODES_DATA_DIR:-$repository/var}/venv/bin/python}
work=$(mktemp -d)
server=''

leave() {
    if [[ -n $server ]]; then
        kill -INT "$server" 2>/dev/null || :
        wait "$server" 2>/dev/null || :
    fi
    rm -rf -- "$work"
}
trap leave EXIT

fail() {
    printf 'packaging: %s\n' "$*" >&2
    [[ ! -e $work/up ]] || cat "$work/up" >&2
    exit 1
}

[[ $(id -u) = 0 ]] || fail 'requires root, as netmodes up does'
"$python" -c 'import hatchling' || fail "no hatchling in $python: ./netmodes check installs it"

mkdir "$work/source" "$work/again" "$work/empty"
git -C "$repository" archive HEAD | tar -x -C "$work/source"
cd "$work/source"
"$python" -m hatchling build -d "$work/dist" >&2
sdist=$(echo "$work"/dist/*.tar.gz)
wheel=$(echo "$work"/dist/*.whl)

cd "$work/empty"
npm_config_offline=true "$python" -m pip wheel -q --no-deps --no-build-isolation --no-cache-dir -w "$work/again" "$sdist"
"$python" - "$wheel" "$work"/again/*.whl <<'PYTHON' || fail 'the wheel from the sdist has other files'
import sys, zipfile
one, other = ({i.filename: i.CRC for i in zipfile.ZipFile(path).infolist()} for path in sys.argv[1:])
sys.exit(one != other and f"{sorted(set(one.items()) ^ set(other.items()))}")
PYTHON
printf 'packaging: %s bytes wheel, %s bytes sdist; the sdist builds the same wheel offline\n' \
    "$(stat -c %s "$wheel")" "$(stat -c %s "$sdist")"

"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --require-hashes --only-binary :all: -r "$work/source/requirements.txt"
"$work/venv/bin/pip" install -q --no-deps "$wheel"
"$work/venv/bin/pip" check
rm -rf "$work/source"

netmodes=$work/venv/bin/netmodes
export NETMODES_DATA_DIR=$work/data
"$netmodes" --help >"$work/help" || fail 'netmodes --help'
grep -q '^  up ' "$work/help" || fail "netmodes --help shows no up: $(cat "$work/help")"
"$netmodes" doctor --json >"$work/doctor" || printf 'packaging: doctor ended with %s\n' $?
"$python" -c 'import json, sys; print("packaging: doctor:", ", ".join(json.load(sys.stdin)))' <"$work/doctor" ||
    fail "netmodes doctor --json is no JSON: $(cat "$work/doctor")"

port=$("$python" -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$netmodes" up --port "$port" >"$work/up" 2>&1 &
server=$!
end=$((SECONDS + 90))
until grep -q 'Sign in' "$work/up"; do
    { ((SECONDS < end)) && kill -0 "$server" 2>/dev/null; } || fail 'up printed no sign-in link'
    sleep 0.1
done
"$python" - "$(grep -o 'http://[^ ]*token=[^ ]*' "$work/up")" "http://127.0.0.1:$port" <<'PYTHON' || fail 'pages'
import re, sys, urllib.request
from http.cookiejar import CookieJar

link, site = sys.argv[1:]
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
browser.open(link, timeout=20).read()
with browser.open(site + "/", timeout=20) as answer:
    page = answer.read().decode()
    assert (answer.status, answer.geturl()) == (200, site + "/"), answer.geturl()
parts = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
assert any(part.endswith(".css") for part in parts), page[:500]
for part in {*parts, "/static/vendor/xterm/xterm.mjs"}:
    with browser.open(site + part, timeout=20) as answer:
        assert answer.status == 200 and len(answer.read()) > 100, part
print(f"packaging: the first page ({len(page)} characters), {len(set(parts))} styles and modules, the terminal: all 200")
PYTHON
kill -INT "$server"
code=0
wait "$server" || code=$?
server=''
((code == 0)) || fail "up ended with $code after Ctrl-C"
echo 'packaging: proved'
