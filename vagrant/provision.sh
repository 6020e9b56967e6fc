#!/bin/sh
# Runs in the virtual machine as root: `setup PORT`, `link` or `tests`. The launcher does the work.
set -eu

checkout=${NETMODES_CHECKOUT:-/opt/netmodes}
NETMODES_DATA_DIR=/var/lib/netmodes
export NETMODES_DATA_DIR

# Ubuntu 20.04 has Python 3.8. Its pip installs uv, which downloads a third-party build of Python
# (python-build-standalone) and verifies its hash. Not needed if Python 3.12 or newer is installed or packaged.
python_for_old_systems() {
    for python in python3.14 python3.13 python3.12 python3; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then return; fi
    done
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && printf '%s-%s' "$ID" "$VERSION_ID")
    case $release in
        ubuntu-20.04 | ubuntu-22.04 | debian-11 | debian-12) ;;
        *) return 0 ;;
    esac
    echo "Installing Python for $release: its own is too old"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq -y --no-install-recommends install python3-pip python3-venv ca-certificates
    python3 -m venv /opt/netmodes-python/uv
    /opt/netmodes-python/uv/bin/pip install -q --upgrade pip
    /opt/netmodes-python/uv/bin/pip install -q --only-binary :all: uv
    UV_PYTHON_INSTALL_DIR=/opt/netmodes-python/versions
    export UV_PYTHON_INSTALL_DIR
    /opt/netmodes-python/uv/bin/uv python install 3.13
    ln -sfn "$(/opt/netmodes-python/uv/bin/uv python find --managed-python 3.13)" /usr/local/bin/python3.13
}

case ${1:-} in
    setup)
        python_for_old_systems
        # Forwarded connections do not arrive on loopback.
        exec "$checkout/netmodes" setup --host 0.0.0.0 --port "${2:-8000}" ;;
    link)
        # After boot the service may still be waiting for the shared folder.
        systemctl start netmodes
        exec "$checkout/netmodes" link ;;
    tests)
        # A separate data folder: the service keeps its Python environment.
        NETMODES_DATA_DIR=/var/lib/netmodes-tests
        exec "$checkout/netmodes" test ;;
    *)
        echo "usage: provision.sh setup [PORT] | link | tests" >&2
        exit 2 ;;
esac
