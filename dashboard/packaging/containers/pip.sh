#!/bin/sh
# pip of the build; a wheelhouse replaces the index.
set -eu
for wheel in /wheelhouse/*.whl; do
    if [ -e "$wheel" ]; then
        export PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheelhouse
        break
    fi
done
exec /build/bin/pip --disable-pip-version-check --quiet "$@" --only-binary :all: --root-user-action ignore
