#!/bin/bash
# Tests the Dockerfile and compose.yaml: builds the images, starts them as `docker compose up` does, signs in with the link
# from the log, launches a comparison, tries, traces, measures, executes claims; checks the privileges of each container; takes
# everything down and checks for leftovers.
#
# On a privileged private host without a network: the base is a Debian made by mmdebstrap and imported under the name in the
# Dockerfile, images of PostgreSQL and NATS are built from Debian's packages under the names in compose.yaml, and folders
# with packages and wheels replace archive and index. compose.yaml itself is unchanged. With --here everything runs on the
# engine of DOCKER_HOST instead, with a registry, an archive and an index.
#
# Usage, as root: tests/compose.sh [--here]     (about seven minutes, 4 GB below var/; ./netmodes up must have run once)
set -euo pipefail

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
python=${PYTHON:-${NETMODES_DATA_DIR:-$repository/var}/venv/bin/python}
[[ -x $python ]] || python=python3
port=${NETMODES_PORT:-8000}
here=''
[[ ${1:-} != --here ]] || here=1

fail() {
    printf 'compose: %s\n' "$*" >&2
    [[ -z ${compose_ready:-} ]] || { compose ps -a && compose logs --no-color --tail 40; } >&2 || :
    exit 1
}

[[ $(id -u) = 0 ]] || fail 'requires root: run sudo tests/compose.sh'
for plugin in compose buildx; do
    docker "$plugin" version >/dev/null 2>&1 || fail "requires docker $plugin: run apt-get install docker-$plugin"
done
mkdir -p "$repository/var"
work=$(mktemp -d "$repository/var/compose.XXXXXX")
source=$work/source

leave() {
    [[ -z ${compose_ready:-} ]] || compose down -v --timeout 20 >/dev/null 2>&1 || :
    [[ -n $here ]] || hosts remove --all >/dev/null 2>&1 || :
    rm -rf --one-file-system -- "$work"
}
trap leave EXIT

hosts() {
    NETMODES_DATA_DIR=$work/data "$python" "$repository/manage.py" hosts "$@"
}
compose() {
    docker compose --project-directory "$source" -f "$source/compose.yaml" "${overrides[@]}" "$@"
}
now_ms() {
    date +%s%3N
}
started=$(now_ms)
took() {
    printf 'compose: %s after %d s\n' "$1" $((($(now_ms) - started) / 1000))
}

mkdir "$source"
git -C "$repository" archive HEAD | tar -x -C "$source"
overrides=()
on_machine=()

# --- without a network ------------------------------------------------------------------------

# A Debian as small as the image of that name, and the packages that would be downloaded into it.
make_base() {
    local root=$work/root suite file sources
    # shellcheck source=/dev/null
    suite=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")
    # Only sources that the root can reach, no local folders.
    mapfile -t sources < <(grep -L 'file:' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null)
    mmdebstrap --quiet --variant=minbase --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        "$suite" "$root" "${sources[@]}"
    tar -C "$root" --numeric-owner -c . | docker import --change 'CMD ["bash"]' - debian:13-slim >/dev/null
    # How this machine reaches the archives.
    cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
    rm -f "$root"/etc/apt/apt.conf.d/*needrestart
    mkdir -p "$root/etc/ssl/certs"
    cp -a /etc/ssl/certs/. "$root/etc/ssl/certs/"
    for file in /etc/resolv.conf /etc/hosts; do cp -L "$file" "$root$file"; done
    chroot "$root" apt-get -qq update
    chroot "$root" apt-get -qq -y --no-install-recommends --download-only install python3 python3-venv iproute2 iptables \
        nftables conntrack net-tools busybox-static docker.io docker-cli e2fsprogs curl postgresql nats-server >/dev/null
    mkdir "$work/archive"
    cp -a "$root/var/lib/apt/lists" "$root/var/cache/apt/archives" "$work/archive/"
    rm -rf --one-file-system "$root"
}

make_wheelhouse() {
    "$source/dashboard/packaging/containers/lock-of.sh" "$source/requirements-dev.txt" hatchling packaging pathspec pluggy trove-classifiers \
        >"$work/build.txt"
    for lock in "$source/requirements.txt" "$work/build.txt"; do
        "$python" -m pip download -q --no-deps --require-hashes --only-binary :all: -d "$work/wheelhouse" -r "$lock"
    done
    # The browser's libraries from npm, as the launcher installs them.
    (cd "$source" && "$python" -c 'from pathlib import Path
from dashboard.packaging.build_hook import fetch_libraries
fetch_libraries(Path())')
}

if [[ -z $here ]]; then
    command -v mmdebstrap >/dev/null || fail 'requires mmdebstrap: run apt-get install mmdebstrap'
    # Privileged: its lab with an engine starts private hosts, which no root of a user namespace may.
    host=$(hosts create 1 --privileged-hosts --json 2>/dev/null | "$python" -c 'import json, sys
host, = json.load(sys.stdin)["hosts"]
print(host["socket"], host["pid"])') || fail 'could not start a private host'
    NETMODES_DOCKER_SOCKET=${host% *}
    export NETMODES_DOCKER_SOCKET DOCKER_HOST=unix://${host% *}
    # The published port is in the network namespace of that host.
    on_machine=(nsenter --target "${host#* }" --net --)
    make_base
    make_wheelhouse
    took 'base, packages and wheels'
    for store in postgres:17 nats:2.10-alpine; do
        docker build -q --build-context archive="$work/archive" --build-context containers="$source/dashboard/packaging/containers" \
            -f "$source/tests/compose/stores.Dockerfile" --target "${store%:*}" -t "$store" "$source/tests/compose" \
            >/dev/null || fail "could not build $store"
    done
    took 'PostgreSQL and NATS'
    # The lab image was already built for the private host.
    mkdir -p "$work/carried/lab-image"
    cp "$work"/data/cache/lab-image-*.tar "$work/carried/lab-image/"
    for service in web lab; do
        printf '  %s:\n    build:\n      additional_contexts:\n        archive: %s\n        wheelhouse: %s\n        lab-image: %s\n' \
            "$service" "$work/archive" "$work/wheelhouse" "$work/carried"
    done | { echo services: && cat; } >"$work/folders.yaml"
    overrides=(-f "$work/folders.yaml")
fi

# --- building and starting --------------------------------------------------------------------

[[ -z $here ]] || docker pull -q debian:13-slim >/dev/null
compose build --quiet || fail 'could not build'
took 'images'
base=$(docker image inspect --format '{{.Size}}' debian:13-slim)
for image in netmodes:web netmodes:lab; do
    size=$(docker image inspect --format '{{.Size}}' "$image")
    printf 'compose: %s: %d MB, of which the base %d MB\n' "$image" $((size / 1000000)) $((base / 1000000))
done
for tool in gcc pip pip3 npm dockerd docker curl; do
    ! docker run --rm --network none --entrypoint sh netmodes:web -c "command -v $tool" || fail "web has $tool"
done

healthy() {
    local name
    for name in postgres nats web lab; do
        [[ $(docker inspect --format '{{.State.Health.Status}}' "netmodes-$name-1" 2>/dev/null) = healthy ]] || return 1
    done
}
until_healthy() {
    local end=$((SECONDS + 180))
    until healthy; do
        ((SECONDS < end)) || fail 'not healthy within 180 s'
        sleep 0.2
    done
}
start() {
    compose_ready=1
    compose up -d --no-build --quiet-pull 2>"$work/up" || { cat "$work/up" >&2 && fail 'docker compose up failed'; }
    until_healthy
    took 'all healthy'
}
sign_in_link() {
    compose logs --no-log-prefix web | grep -o 'http://[^ ]*token=[^ ]*' | head -n 1
}
start
link=$(sign_in_link) || fail 'no link in the log'
[[ $link = "http://127.0.0.1:$port/"* ]] || fail "the link is $link"
"${on_machine[@]}" "$python" "$repository/tests/compose/drive.py" "$link" || fail 'could not be used'
compose exec -T web netmodes link | grep -q "^Sign in (once): http://127.0.0.1:$port/" || fail 'netmodes link'
took 'used'

# --- privileges --------------------------------------------------------------------------

status() {
    compose exec -T "$1" sh -c "sed -n 's/^$2:\s*//p' /proc/self/status"
}
for name in web postgres nats; do
    [[ $(status "$name" Uid | cut -f 1) != 0 ]] || fail "$name runs as root"
    [[ $(status "$name" CapEff) = 0000000000000000 ]] || fail "$name has capabilities"
    [[ $(status "$name" NoNewPrivs) = 1 ]] || fail "$name may gain privileges"
done
for name in web lab postgres nats; do
    ! compose exec -T "$name" sh -c 'touch /usr/x' 2>/dev/null || fail "$name can write to its image"
    ! compose exec -T "$name" sh -c 'test -S /run/docker.sock' || [[ $name = lab ]] || fail "$name has the engine's socket"
done
published=$(docker ps --format '{{.Ports}}' --filter label=com.docker.compose.project=netmodes | grep -o '[^ ]*->[^ ,]*')
[[ $published = "127.0.0.1:$port->$port/tcp" ]] || fail "published: $published"
docker ps -aq --filter label=com.docker.compose.project=netmodes | xargs docker inspect >"$work/inspected"
secrets=$(compose exec -T lab sh -c 'cat /run/secrets/netmodes/*' | grep -oE '[0-9a-f]{64}' | sort -u)
[[ $(wc -w <<<"$secrets") = 5 ]] || fail 'there should be five secrets'
! compose exec -T web cat /run/secrets/netmodes/nats-lab-url >/dev/null 2>&1 || fail "web can read the lab's password"
for secret in $secrets; do
    ! grep -q "$secret" "$work/inspected" || fail 'docker inspect shows a secret'
    ! grep -rqs "$secret" /proc/[0-9]*/cmdline || fail 'a command line shows a secret'
done
echo 'compose: web, postgres and nats have no root, no capability, no socket; one port; no secret to be seen'

# --- stopping ---------------------------------------------------------------------------------

ours=(--filter label=dev.netmodes.installation)
running=$(docker ps -q "${ours[@]}" | wc -l)
((running == 3)) || fail "the comparison does not run: $(docker ps "${ours[@]}")"
compose restart lab 2>/dev/null || fail 'could not restart lab'
[[ $(docker ps -q "${ours[@]}" | wc -l) = "$running" ]] || fail 'a restart of lab stopped the comparison'
until_healthy

# As in docs/operating.md: a dump while it runs, and a restore.
experiments() {
    compose exec -T postgres psql --username netmodes --tuples-only --no-align --command \
        'SELECT count(*) FROM dashboard_experiment'
}
before=$(experiments)
compose exec -T postgres pg_dump --username netmodes --format custom netmodes >"$work/netmodes.dump" || fail 'pg_dump'
compose stop web lab 2>/dev/null || fail 'could not stop'
compose exec -T postgres dropdb --username netmodes --force netmodes || fail 'dropdb'
compose exec -T postgres createdb --username netmodes netmodes || fail 'createdb'
compose exec -T postgres pg_restore --username netmodes --dbname netmodes --single-transaction <"$work/netmodes.dump" ||
    fail 'pg_restore'
start
[[ $before -gt 0 && $(experiments) = "$before" ]] || fail "of $before experiments $(experiments) came back"
[[ $(docker ps -q "${ours[@]}" | wc -l) = "$running" ]] || fail 'the comparison did not outlive a restored database'

# As in docs/deploying.md: remove everything.
take_down() {
    compose stop web lab 2>/dev/null || fail 'could not stop'
    compose run --rm --no-deps -T lab reap || fail 'could not reap'
    [[ -z $(docker ps -aq "${ours[@]}")$(docker network ls -q "${ours[@]}") ]] || fail "left over: $(docker ps -a "${ours[@]}")"
    compose down --volumes 2>/dev/null || fail 'docker compose down failed'
    compose_ready=''
    [[ -z $(docker ps -aq --filter label=com.docker.compose.project=netmodes) ]] || fail 'containers stay'
    [[ -z $(docker volume ls -q --filter label=com.docker.compose.project=netmodes) ]] || fail 'volumes stay'
}
take_down
took 'nothing left'

# --- with private hosts -----------------------------------------------------------------------

overrides=(-f "$source/docs/compose.hosts.yaml" "${overrides[@]}")
compose build --quiet lab || fail 'could not build the image with an engine'
start
"${on_machine[@]}" "$python" "$repository/tests/compose/drive.py" "$(sign_in_link)" hosts || fail 'no private hosts'
take_down
took 'nothing left'
echo 'compose: proved'
