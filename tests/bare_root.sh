#!/bin/bash
# Tests that one command takes a bare Debian to a served page, and that Ctrl-C leaves nothing behind.
#
# Builds a Debian root with apt and the commands mount and umount only, puts a clean checkout of HEAD there, and runs
# `./netmodes up` in it, in separate mount and pid namespaces. The network is this machine's, since pip and
# apt need it; the Docker Engine that `up` starts has its own network namespace. Then: signs in with the
# printed link, reads the first page, presses Ctrl-C, looks for processes, mounts, namespaces, interfaces,
# firewall rules and cgroups that did not exist before, compares two modes from the command line, and starts
# once more to time it.
#
# Usage, as root on Debian: tests/bare_root.sh            (about three minutes, 2 GB below var/)
set -euo pipefail

readonly first_limit_s=600 second_limit_s=30 promised_second_s=3 stop_limit_s=30

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$repository"

fail() {
    printf 'bare_root: %s\n' "$*" >&2
    for log in "${work:-/nonexistent}"/up.*; do
        [[ ! -e $log ]] || { printf -- '--- %s\n' "$log" && tail -n 40 -- "$log"; } >&2
    done
    exit 1
}

[[ $(id -u) = 0 ]] || fail "requires root: run sudo tests/bare_root.sh"
for tool in mmdebstrap git unshare nsenter setsid python3; do
    command -v "$tool" >/dev/null || fail "requires $tool: run apt-get install mmdebstrap git util-linux python3"
done
# shellcheck source=/dev/null
suite=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")

mkdir -p var
work=$(mktemp -d "$repository/var/bare-root.XXXXXX")
root=$work/root
machine=''

leave() {
    # Ending process 1 of the pid namespace ends everything in it; its mounts go with the mount namespace.
    [[ -z $machine ]] || kill -KILL -- "$machine" 2>/dev/null || :
    [[ -z ${session:-} ]] || wait "$session" 2>/dev/null || :
    rm -rf --one-file-system -- "$work"
}
trap leave EXIT

# Waits for a condition: seconds, then the command that checks it.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        [[ -z $machine || -d /proc/$machine ]] || return 1
        sleep 0.05
    done
}

now_ms() {
    date +%s%3N
}

# --- the bare root ----------------------------------------------------------------------------

# Only sources that the bare root can reach, no local folders.
mapfile -t sources < <(grep -L 'file:' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null)
((${#sources[@]})) || fail "no package source in /etc/apt"
printf 'bare_root: building a bare %s in %s\n' "$suite" "$root"
started=$(now_ms)
mmdebstrap --quiet --variant=apt --include=ca-certificates,mount "$suite" "$root" "${sources[@]}" ||
    fail "mmdebstrap failed"
printf 'bare_root: built in %d ms, %s packages, no Python: ' $(($(now_ms) - started)) \
    "$(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '.' | wc -c)"
[[ ! -e $root/usr/bin/python3 ]] || fail "the root has a Python already"
echo 'yes'

# How this machine reaches the archives: apt's settings, certificates, the resolver and pip's settings.
# Without apt's preferences, which pin versions of this machine.
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
rm -f "$root"/etc/apt/apt.conf.d/*needrestart
cp -a /etc/ssl/certs/. "$root/etc/ssl/certs/"
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf; do
    [[ ! -e $file ]] || cp -L "$file" "$root$file"
done
# No init runs here. Debian's convention for such roots keeps packages from starting their services, which
# would otherwise run dockerd on this machine's own network.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/srv/netmodes" "$root/old"
git archive HEAD | tar -x -C "$root/srv/netmodes"

environment=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8)
while IFS= read -r variable; do
    environment+=("$variable")
done < <(env | grep -E '^(PIP_|SSL_|REQUESTS_CA|CURL_CA|NODE_EXTRA_CA|https?_proxy=|no_proxy=|HTTPS?_PROXY=|NO_PROXY=)' |
    grep -v '^PIP_FIND_LINKS=')

port=$(python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# --- entering the root ------------------------------------------------------------------------------

# Process 1 of the pid namespace. pivot_root(2) and not chroot(2): runc pivots too, and the kernel refuses
# that to a process whose root is not a mount point.
cat >"$work/enter" <<'ENTER'
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
mkfifo -m 0600 /run/press
for start in 1 2; do
    read -r word </run/press
    code=0
    setsid --wait /srv/netmodes/netmodes up --port "$2" >"/run/up.$start.out" 2>"/run/up.$start.err" </dev/null || code=$?
    echo "$code" >"/run/up.$start.code"
done
read -r word </run/press
ENTER

interfaces() {
    if command -v ip >/dev/null; then ip -o link show; fi
}
rules() {
    if command -v iptables-save >/dev/null; then iptables-save | sed 's/\[[0-9:]*\]//; /^#/d'; fi
}
cgroups() {
    find /sys/fs/cgroup -type d 2>/dev/null | sort
}
# New cgroups without processes: other engines on this machine may come and go meanwhile.
abandoned_cgroups() {
    local folder
    comm -13 <(printf '%s\n' "$cgroups_before") <(cgroups) | while IFS= read -r folder; do
        [[ -n $(find "$folder" -mindepth 1 -type d 2>/dev/null || echo gone) ]] ||
            [[ -n $(cat "$folder/cgroup.procs" 2>/dev/null || echo gone) ]] || printf '%s\n' "$folder"
    done
}
interfaces_before=$(interfaces)
rules_before=$(rules)
cgroups_before=$(cgroups)

# A background job of a script ignores SIGINT, and its children inherit that. Programs started from a terminal do not
# ignore it.
env --default-signal=INT,QUIT env -i "${environment[@]}" \
    unshare --mount --pid --fork --kill-child sh "$work/enter" "$root" "$port" &
session=$!
first_child() {
    machine=$(cat "/proc/$session/task/$session/children" 2>/dev/null) && machine=${machine%% *} && [[ -n $machine ]]
}
machine_is_up() {
    first_child && [[ -p /proc/$machine/root/run/press && ! -e /proc/$machine/root/old ]]
}
within 30 machine_is_up || fail "could not enter the root"
inside=/proc/$machine/root

# Whether a process descends from the first one of the root. Private hosts and the web process have pid namespaces of
# their own below that of the root.
is_member() {
    local pid=$1 name value
    while ((pid > 1)); do
        [[ $pid != "$machine" ]] || return 0
        while read -r name value; do
            [[ $name != PPid: ]] || break
        done 2>/dev/null <"/proc/$pid/status" || return 1
        pid=${value:-0}
    done
    return 1
}
# The processes of the root except its first one, a shell that waits for input and does not reap orphans: zombies
# (state Z) do not count.
members() {
    local entry stat
    for entry in /proc/[0-9]*; do
        is_member "${entry#/proc/}" || continue
        { stat=$(<"$entry/stat"); } 2>/dev/null || continue
        if [[ ${entry#/proc/} != "$machine" && $stat != *') Z '* ]]; then
            printf '%s: %s\n' "${entry#/proc/}" "$(tr '\0' ' ' <"$entry/cmdline" 2>/dev/null)"
        fi
    done
}
mounts() {
    cut -d' ' -f5 "/proc/$machine/mountinfo" | sort
}
mounts_before=$(mounts)

# --- starting, signing in, stopping -----------------------------------------------------------

link=''
link_is_printed() {
    link=$(cat "$inside"/run/up."$1".* 2>/dev/null | grep -aoE "http://127\.0\.0\.1:$port/[^[:space:]]+" | head -n 1)
    [[ -n $link ]] || { [[ -e $inside/run/up.$1.code ]] && fail_start "$1"; }
}
fail_start() {
    cp "$inside"/run/up."$1".* "$work/"
    fail "up ended with $(cat "$work/up.$1.code") before it printed a sign-in link"
}

# Opens the link as a browser does, sends the form that it may show, and reads the first page.
sign_in() {
    python3 - "$1" "http://127.0.0.1:$port/" <<'PYTHON'
import html, re, sys, urllib.error, urllib.parse, urllib.request
from http.cookiejar import CookieJar

link, page = sys.argv[1:]
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
try:
    before = urllib.request.urlopen(page, timeout=10).geturl()
except urllib.error.HTTPError as refusal:
    before = refusal.code
if before == page:
    sys.exit("the first page is open to somebody who has not signed in")
with browser.open(link, timeout=10) as answer:
    text, address = answer.read().decode(), answer.geturl()
form = re.search(r"<form\b[^>]*method=.?post.*?</form>", text, re.S | re.I)
if form and "csrfmiddlewaretoken" in form[0] and urllib.parse.urlsplit(address).path == urllib.parse.urlsplit(link).path:
    action = re.search(r'<form\b[^>]*\baction="([^"]*)"', form[0])
    fields = {}
    for tag in re.findall(r"<input\b[^>]*>", form[0]):
        given = {name: html.unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        if "name" in given:
            fields[given["name"]] = given.get("value", "")
    target = urllib.parse.urljoin(address, html.unescape(action[1]) if action else "")
    headers = {"Referer": address, "Origin": page.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    data = urllib.parse.urlencode(fields).encode()
    browser.open(urllib.request.Request(target, data, headers), timeout=10).read()
with browser.open(page, timeout=10) as answer:
    text = answer.read().decode()
    if (answer.status, answer.geturl()) != (200, page):
        sys.exit(f"{answer.geturl()} answered {answer.status}")
title = re.search(r"<title>(.*?)</title>", text, re.S)
print(f"{page} answered 200, {len(text)} characters, title {title[1].strip() if title else None!r}")
PYTHON
}

# A terminal sends SIGINT to every process of its foreground group. setsid(1) made one for the launcher, which
# became manage.py; the group is field 5 of /proc/PID/stat, the third after the name in parentheses.
press_ctrl_c() {
    local pid stat fields found=()
    # The oldest one is the lab; the terminal does not reach the others, which have sessions of their own. Numbers of
    # processes start again from the beginning, so the time of the start counts: field 22, the twentieth after the name.
    for pid in $(members | sed -n 's/^\([0-9]*\): .*manage\.py up .*/\1/p'); do
        stat=$(<"/proc/$pid/stat")
        read -ra fields <<<"${stat##*) }"
        found+=("${fields[19]} $pid")
    done
    [[ ${#found[@]} -gt 0 ]] || fail "no manage.py runs: $(members)"
    pid=$(printf '%s\n' "${found[@]}" | sort -n | sed -n '1s/.* //p')
    stat=$(<"/proc/$pid/stat")
    read -r _ _ group _ <<<"${stat##*) }"
    kill -INT -- "-$group"
}

# Leftovers after up has ended: nothing that did not exist before.
nothing_is_left() {
    [[ -z $(members) && $(mounts) = "$mounts_before" && -z $(abandoned_cgroups) ]]
}

differs() {
    [[ $2 = "$3" ]] || fail "$1 were left over:
$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3"))"
}

# No process, mount, interface, firewall rule or cgroup that did not exist before.
expect_nothing_left() {
    within 5 nothing_is_left || :
    [[ -z $(members) ]] || fail "processes were left over: $(members)"
    differs mounts "$mounts_before" "$(mounts)"
    differs interfaces "$interfaces_before" "$(interfaces)"
    differs 'firewall rules' "$rules_before" "$(rules)"
    differs cgroups '' "$(abandoned_cgroups)"
}

# One experiment from the command line, on the engine that Netmodes starts and with its lab image.
compare() {
    local started answer
    started=$(now_ms)
    answer=$(nsenter --target "$machine" --mount --pid --root --wdns=/ env -i "${environment[@]}" \
        /srv/netmodes/netmodes compare host bridge --json 2>"$work/up.compare") || fail "compare failed"
    python3 -c 'import json, sys
answer = json.loads(sys.argv[1])
machine, host, bridge = (answer["states"][column["key"]] for column in answer["columns"][:3])
assert machine["netns"] == host["netns"] != bridge["netns"], answer["states"]
assert any(listener["port"] == 80 for listener in host["listeners"]), host["listeners"]
print("bare_root: compare host bridge:", len(answer["rows"]), "rows,", answer["columns"][1]["container"]["image"])
' "$answer" || fail "compare printed: $answer"
    printf 'bare_root: compare took %d ms\n' $(($(now_ms) - started))
    expect_nothing_left
}

start_and_stop() {
    local number=$1 limit_s=$2 started took
    started=$(now_ms)
    echo start >"$inside/run/press"
    within "$limit_s" link_is_printed "$number" || fail "no sign-in link within $limit_s s"
    took=$(($(now_ms) - started))
    sign_in "$link" || fail "could not sign in"
    [[ $(members) = *' dockerd '* ]] || fail "no Docker Engine runs inside: $(members)"
    printf 'bare_root: start %d: sign-in link after %d ms, page read after %d ms, %d processes inside\n' \
        "$number" "$took" $(($(now_ms) - started)) "$(members | wc -l)"
    (($1 == 1 || took < promised_second_s * 1000)) || fail "the second start took $took ms"
    started=$(now_ms)
    press_ctrl_c
    within "$stop_limit_s" test -e "$inside/run/up.$number.code" || fail "up runs on after Ctrl-C: $(members)"
    expect_nothing_left
    printf 'bare_root: stop %d: exit code %s after %d ms; nothing is left\n' \
        "$number" "$(cat "$inside/run/up.$number.code")" $(($(now_ms) - started))
}

start_and_stop 1 "$first_limit_s"
du -sh --apparent-size "$root/srv/netmodes/var" | sed "s#$work/##; s/^/bare_root: /"
compare
start_and_stop 2 "$second_limit_s"
printf 'bare_root: proved\n'
