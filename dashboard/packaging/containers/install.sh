#!/bin/sh
# install.sh PACKAGE…: installs missing packages of the distribution, without recommended ones.
#
# If /archive has apt's lists and packages (lists/ and archives/, made by `apt-get update` and `apt-get --download-only
# install` in the same base), they are used without a network; apt verifies them as usual.
set -eu

missing=''
for package do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=''
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

set -- -qq -o Dpkg::Use-Pty=0 -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
if [ -d /archive/lists ]; then
    set -- "$@" -o Dir::State::lists=/archive/lists -o Dir::Cache::archives=/archive/archives --no-download
else
    apt-get "$@" update
fi
# shellcheck disable=SC2086  # a list of package names
DEBIAN_FRONTEND=noninteractive apt-get "$@" -y --no-install-recommends install $missing

# Files that only record the installation.
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
    /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/lib/dpkg/*-old
