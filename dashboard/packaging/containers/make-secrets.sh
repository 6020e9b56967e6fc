#!/bin/sh
# make-secrets.sh: generates the secrets of the services in compose.yaml once, each into the volumes of the services that
# need it. Other services cannot read them; no variable and no command line holds one.
set -eu
umask 077

# A secret of 256 random bits.
random() {
    od -An -v -tx1 -N 32 /dev/urandom | tr -d ' \n'
}

# put FILE USER GROUP: writes standard input into the file, atomically.
put() {
    cat >"$1.new"
    chmod 0440 "$1.new"
    chown "$2:$3" "$1.new"
    mv "$1.new" "$1"
}

cd /secrets
# The database keeps the password of its creation, so the stored one is reused.
[ -s postgres/password ] || random | put postgres/password 999 0
[ -s redis/redis.conf ] || put redis/redis.conf 999 0 <<CONF
requirepass $(random)
# Redis holds wake-ups and recent terminal output, which need not survive a restart.
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
