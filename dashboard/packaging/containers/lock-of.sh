#!/bin/sh
# lock-of.sh LOCK NAME…: prints the lines of these packages in a lock file, with versions and hashes.
set -eu
lock=$1
shift
awk -v wanted="$*" '
    BEGIN { count = split(wanted, names, " "); for (i = 1; i <= count; i++) take[names[i]] = 1 }
    /^[A-Za-z]/ { split($0, parts, "=="); on = parts[1] in take }
    on' "$lock"
