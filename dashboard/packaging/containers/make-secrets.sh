#!/bin/sh
# make-secrets.sh: writes what the services of compose.yaml prove themselves with, each into the volume of those who need it,
# once. Nobody else can read it; nothing of it stands in a variable or on a command line.
set -eu
umask 077

# One per line, 256 bits from the kernel.
random() {
    od -An -v -tx1 -N 32 /dev/urandom | tr -d ' \n'
}

# put FILE USER GROUP: what comes in becomes the file, whole or not at all.
put() {
    cat >"$1.new"
    chmod 0440 "$1.new"
    chown "$2:$3" "$1.new"
    mv "$1.new" "$1"
}

cd /secrets
# The database's password is what the database was made with: where it is kept, all else follows from it.
[ -s postgres/password ] || random | put postgres/password 999 0
[ -s redis/redis.conf ] || put redis/redis.conf 999 0 <<CONF
requirepass $(random)
# Wake-ups and what a terminal said last: nothing that has to outlive it.
save ""
appendonly no
maxmemory 128mb
maxmemory-policy volatile-lru
CONF
[ -s netmodes/secret-key ] || random | put netmodes/secret-key 10001 0
[ -s netmodes/metrics-token ] || random | put netmodes/metrics-token 10001 0
put netmodes/database-url 10001 0 <<URL
postgres://netmodes:$(cat postgres/password)@postgres:5432/netmodes
URL
put netmodes/redis-url 10001 0 <<URL
redis://:$(sed -n 's/^requirepass //p' redis/redis.conf)@redis:6379/0
URL
for folder in postgres redis netmodes; do chmod 0755 "$folder"; done
