#!/bin/sh
# make-secrets.sh: generates the secrets of the services in compose.yaml once, each into the volumes of the services that
# need it; no variable and no command line holds one. web and lab share a volume: lab, which is root, can read all of it.
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
# Of earlier versions, which used Redis.
rm -f netmodes/redis-url
# The database keeps the password of its creation, so the stored one is reused.
[ -s postgres/password ] || random | put postgres/password 999 0
[ -s nats/local.conf ] || put nats/local.conf 999 0 <<CONF
WEB_PASSWORD: "$(random)"
LAB_PASSWORD: "$(random)"
http: "127.0.0.1:8222"
CONF
[ -s netmodes/secret-key ] || random | put netmodes/secret-key 10001 0
# The key with which web processes admit machines to NATS is derived from their secret key.
grep -q '^ISSUER:' nats/local.conf || { cat nats/local.conf; printf 'ISSUER: "%s"\n' \
    "$(/opt/netmodes/bin/python -m dashboard.nats_issuer <netmodes/secret-key)"; } | put nats/local.conf 999 0
put nats/nats.conf 999 0 </usr/local/lib/netmodes/nats.conf
[ -s netmodes/metrics-token ] || random | put netmodes/metrics-token 10001 0
put netmodes/database-url 10001 0 <<URL
postgres://netmodes:$(cat postgres/password)@postgres:5432/netmodes
URL
# nats_url USER NAME: the address for a user, with the password that local.conf has under this name.
nats_url() {
    printf 'nats://%s:%s@nats:4222\n' "$1" "$(sed -n "s/^$2: \"\(.*\)\"/\1/p" nats/local.conf)"
}
nats_url web WEB_PASSWORD | put netmodes/nats-web-url 10001 0
# Owned by root, so that web cannot read it.
nats_url lab LAB_PASSWORD | put netmodes/nats-lab-url 0 0
for folder in postgres nats netmodes; do chmod 0755 "$folder"; done
