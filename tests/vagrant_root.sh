#!/bin/bash
# Tests the provisioning of vagrant/ without a hypervisor: in an untouched Debian root with systemd installed (as a
# box has it), runs `vagrant/provision.sh setup` twice, verifies the unit with that system's systemd-analyze, starts its
# command and makes a sign-in link with `netmodes link`.
#
# systemd does not run there, so this script runs the unit's command with the same variables. The network is this
# machine's, since pip and apt need it; the server has its own network namespace.
#
# Usage, as root on Debian: tests/vagrant_root.sh            (about three minutes, 2 GB below var/)
set -euo pipefail

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$repository"

fail() {
    printf 'vagrant_root: %s\n' "$*" >&2
    exit 1
}

[[ $(id -u) = 0 ]] || fail 'requires root: run sudo tests/vagrant_root.sh'
for tool in mmdebstrap git unshare python3; do
    command -v "$tool" >/dev/null || fail "requires $tool: run apt-get install mmdebstrap git util-linux python3"
done
# shellcheck source=/dev/null
suite=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")

mkdir -p var
work=$(mktemp -d "$repository/var/vagrant-root.XXXXXX")
root=$work/root
trap 'rm -rf --one-file-system -- "$work"' EXIT

# Only sources that the root can reach, no local folders.
mapfile -t sources < <(grep -L 'file:' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null)
((${#sources[@]})) || fail 'no package source in /etc/apt'
mmdebstrap --quiet --variant=apt --include=ca-certificates,mount,systemd "$suite" "$root" "${sources[@]}" ||
    fail 'mmdebstrap failed'
[[ ! -e $root/usr/bin/python3 ]] || fail 'the root has a Python already'

# How this machine reaches the archives. No package starts services, which would use this machine's network.
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
rm -f "$root"/etc/apt/apt.conf.d/*needrestart
cp -a /etc/ssl/certs/. "$root/etc/ssl/certs/"
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf; do
    [[ ! -e $file ]] || cp -L "$file" "$root$file"
done
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/opt/netmodes" "$root/old"
git archive HEAD | tar -x -C "$root/opt/netmodes"
port=$(python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

cat >"$work/inside" <<'INSIDE'
set -eu
mount --bind "$1" "$1"
cd "$1"
for folder in dev sys; do mount --rbind "/$folder" "$folder"; done
mount -t proc proc proc
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
pivot_root . old
umount -l old
rmdir old
port=$2
provision=/opt/netmodes/vagrant/provision.sh
unit=/etc/systemd/system/netmodes.service

state() {
    # The files that a second run must not change: all but compiled modules, logs and locks.
    find /etc /usr /opt /var/lib -xdev -type f ! -path '*/pycache/*' ! -name '*.pyc' ! -name .lock -printf '%p %s %T@ %m\n' |
        sort
    ls -l /etc/systemd/system/multi-user.target.wants
}

"$provision" setup "$port"
state >/tmp/first
"$provision" setup "$port" >/tmp/second.said 2>&1
state >/tmp/second
cmp /tmp/first /tmp/second || { diff /tmp/first /tmp/second | head -n 20; echo 'the second run changed files'; exit 1; }
echo "vagrant_root: the second run changed nothing; it said: $(cat /tmp/second.said)"
[ -L /etc/systemd/system/multi-user.target.wants/netmodes.service ] || { echo 'the unit is not enabled'; exit 1; }
systemd-analyze verify "$unit" >/tmp/verify 2>&1 || { cat /tmp/verify; exit 1; }
if grep netmodes /tmp/verify; then exit 1; fi
echo "vagrant_root: $(systemd-analyze --version | head -n 1) verifies the unit"

# In its own network namespace: it listens on every address, as in the virtual machine.
unshare --net sh /opt/serve "$port"
INSIDE

cat >"$root/opt/serve" <<'SERVE'
set -eu
port=$1
unit=/etc/systemd/system/netmodes.service
ip link set lo up
# The unit's command and variables, as the service manager runs them.
eval "set -- $(sed -n 's/^ExecStart=//p' "$unit")"
eval "export $(sed -n 's/^Environment=//p' "$unit" | tr '\n' ' ')"
"$@" >/tmp/out 2>/tmp/err &
server=$!
ready=''
for _ in $(seq 600); do
    if ! kill -0 "$server" 2>/dev/null; then break; fi
    if grep -q 'Sign in' /tmp/out; then ready=1; break; fi
    sleep 0.1
done
[ -n "$ready" ] || { cat /tmp/out /tmp/err; exit 1; }
link=$(/opt/netmodes/netmodes link)
/var/lib/netmodes/venv/bin/python - "$link" "$port" <<'PYTHON'
import sys, urllib.request
from http.cookiejar import CookieJar
line, port = sys.argv[1:]
site = f"http://127.0.0.1:{port}"
link = line.removeprefix("Sign in (once): ")
assert link.startswith(f"{site}/sign-in/?token="), line
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
browser.open(link, timeout=20).read()
with browser.open(f"{site}/", timeout=20) as answer:
    page = answer.read()
    assert (answer.status, answer.geturl()) == (200, f"{site}/"), answer.geturl()
print(f"vagrant_root: signed in with the link of `netmodes link`; the first page has {len(page)} bytes")
PYTHON
kill -TERM "$server"
code=0
wait "$server" || code=$?
echo "vagrant_root: stopped with $code after SIGTERM"
SERVE

environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8)
while IFS= read -r variable; do
    environment+=("$variable")
done < <(env | grep -E '^(PIP_|SSL_|REQUESTS_CA|CURL_CA|NODE_EXTRA_CA|https?_proxy=|no_proxy=|HTTPS?_PROXY=|NO_PROXY=)' |
    grep -v '^PIP_FIND_LINKS=')
# pivot_root(2) and not chroot(2): runc refuses a root that is not a mount point. All processes end with the pid
# namespace.
env -i "${environment[@]}" unshare --mount --pid --fork --kill-child sh "$work/inside" "$root" "$port" ||
    fail 'the provisioning failed'
echo 'vagrant_root: proved'
