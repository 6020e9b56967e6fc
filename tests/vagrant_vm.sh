#!/bin/bash
# Tests vagrant/ in a virtual machine, without vagrant and a box: a Debian with systemd made by mmdebstrap, booted by
# qemu with the memory and processors of the Vagrantfile and the port forwarded to 127.0.0.1 only. Inside, as vagrant
# would: `provision.sh setup` twice and `provision.sh link`. Then opens the printed link from outside and runs
# tests/compose/drive.py: a comparison, requests on every path, a trace, a measurement, claims, private hosts.
# Switches the machine off by its power button and boots it again: the service starts by itself.
#
# NETMODES_VM_ACCEL=tcg emulates the processors if /dev/kvm exists but does not work: twelve minutes.
#
# Usage, as root on Debian: tests/vagrant_vm.sh              (a sparse disk of 8 GB below var/)
set -euo pipefail

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$repository"

fail() {
    printf 'vagrant_vm: %s\n' "$*" >&2
    [[ -z ${console:-} ]] || tail -n 40 "$console" >&2 || :
    exit 1
}

[[ $(id -u) = 0 ]] || fail 'requires root: run sudo tests/vagrant_vm.sh'
for tool in mmdebstrap git mke2fs python3 qemu-system-x86_64; do
    command -v "$tool" >/dev/null ||
        fail "needs $tool; type: apt-get install mmdebstrap git e2fsprogs python3 qemu-system-x86"
done
# shellcheck source=/dev/null
suite=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")

mkdir -p var
work=$(mktemp -d "$repository/var/vagrant-vm.XXXXXX")
root=$work/root
machine=''
leave() {
    [[ -z $machine ]] || kill "$machine" 2>/dev/null || :
    rm -rf --one-file-system -- "$work"
}
trap leave EXIT
now_ms() {
    date +%s%3N
}
started=$(now_ms)
say() {
    printf 'vagrant_vm: %s, %d s\n' "$1" $((($(now_ms) - started) / 1000))
}

# --- the machine's disk ---------------------------------------------------------------------------

mapfile -t sources < <(grep -L 'file:' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null)
((${#sources[@]})) || fail 'no package source in /etc/apt'
included=ca-certificates,dbus,initramfs-tools,linux-image-cloud-amd64,systemd-sysv,udev
mmdebstrap --quiet --variant=apt --include="$included" "$suite" "$root" "${sources[@]}" || fail 'mmdebstrap failed'
[[ ! -e $root/usr/bin/python3 ]] || fail 'the root has a Python already'

# How this machine reaches archive and index, with qemu's resolver, which forwards to this machine's.
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
rm -f "$root"/etc/apt/apt.conf.d/*needrestart
cp -a /etc/ssl/certs/. "$root/etc/ssl/certs/"
[[ ! -e /etc/pip.conf ]] || cp -L /etc/pip.conf "$root/etc/pip.conf"
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"
printf 'LABEL=root / ext4 defaults 0 1\n' >"$root/etc/fstab"
echo netmodes >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 netmodes\n' >"$root/etc/hosts"
printf '[Match]\nName=en* eth*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' \
    >"$root/etc/systemd/network/20-wired.network"
mkdir -p "$root/opt/netmodes"
git archive HEAD | tar -x -C "$root/opt/netmodes"
port=$(python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mapfile -t variables < <(env | grep -v '^PIP_FIND_LINKS=' |
    grep -E '^(PIP_|SSL_|REQUESTS_CA|CURL_CA|NODE_EXTRA_CA|https?_proxy=|no_proxy=|HTTPS?_PROXY=|NO_PROXY=)')
mkdir "$root/etc/systemd/system.conf.d"
printf '[Manager]\nDefaultEnvironment=%s\n' "${variables[*]}" >"$root/etc/systemd/system.conf.d/archives.conf"

cat >"$root/opt/prove" <<PROVE
#!/bin/sh
exec >/dev/ttyS0 2>&1
set -eu
provision=/opt/netmodes/vagrant/provision.sh
if [ ! -e /opt/proved ]; then
    "\$provision" setup $port
    echo "vm: provisioned in \$(cut -d. -f1 /proc/uptime) s after boot"
    "\$provision" setup $port
    touch /opt/proved
fi
"\$provision" link
"\$provision" link
echo "vm: booted \$(systemctl is-system-running || :), netmodes \$(systemctl is-active netmodes)"
PROVE
chmod 0755 "$root/opt/prove"
cat >"$root/etc/systemd/system/prove.service" <<'UNIT'
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
Type=exec
Environment=HOME=/root
ExecStart=/bin/sh -c '/opt/prove || echo "vm: FAILED" >/dev/ttyS0'
[Install]
WantedBy=multi-user.target
UNIT
# A login prompt would occupy the serial line, which the test uses.
ln -s /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
SYSTEMD_LOG_LEVEL=err chroot "$root" systemctl --quiet enable prove systemd-networkd systemd-networkd-wait-online
cp "$root"/boot/vmlinuz-* "$work/kernel"
cp "$root"/boot/initrd.img-* "$work/initrd"
mke2fs -q -t ext4 -L root -d "$root" "$work/disk" 8G
rm -rf --one-file-system -- "$root"
say "a disk with $(du -h --apparent-size "$work/disk" | cut -f1), $(du -h "$work/disk" | cut -f1) of it used"

# --- booted ---------------------------------------------------------------------------------------

boot() {
    console=$work/console.$1
    qemu-system-x86_64 -machine "q35,accel=${NETMODES_VM_ACCEL:-kvm:tcg}" -cpu "${NETMODES_VM_CPU:-max}" -smp 2 -m 4096 -no-reboot -display none \
        -kernel "$work/kernel" -initrd "$work/initrd" -append 'root=LABEL=root console=ttyS0 quiet' \
        -drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" \
        -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$port-:$port" -device virtio-net-pci,netdev=net \
        -device virtio-rng-pci -serial "file:$console" -monitor "unix:$work/monitor,server=on,wait=off" &
    machine=$!
    local left
    for ((left = 14400; left > 0; left--)); do
        ! grep -q 'vm: booted' "$console" 2>/dev/null || break
        ! grep -q 'vm: FAILED' "$console" 2>/dev/null || fail "boot $1: the provisioning failed"
        kill -0 "$machine" 2>/dev/null || fail "boot $1: qemu ended"
        sleep 0.5
    done
    ((left)) || fail "boot $1: not ready in time"
    mapfile -t links < <(grep -ao 'http://127[^[:space:]]*token=[A-Za-z0-9_-]*' "$console" | tail -n 2)
    ((${#links[@]} == 2)) || fail "boot $1: no link"
    grep -a '^vm:' "$console" | sed 's/^/vagrant_vm: /; s/\r$//'
    say "boot $1: the link is printed"
}
press_power_button() {
    python3 - "$work/monitor" <<'PYTHON'
import socket, sys
with socket.socket(socket.AF_UNIX) as monitor:
    monitor.connect(sys.argv[1])
    monitor.recv(4096)
    monitor.sendall(b"system_powerdown\n")
    monitor.recv(4096)
PYTHON
    local left
    for ((left = 240; left > 0; left--)); do
        kill -0 "$machine" 2>/dev/null || break
        sleep 0.5
    done
    ((left)) || fail 'it does not switch off'
    wait "$machine" || fail 'qemu ended with an error'
    machine=''
    say 'switched off by its power button'
}

boot 1
python3 tests/compose/drive.py "${links[0]}" slow | sed 's/^compose/vagrant_vm/'
python3 tests/compose/drive.py "${links[1]}" hosts slow | sed 's/^compose/vagrant_vm/'
press_power_button
boot 2
python3 tests/compose/drive.py "${links[0]}" slow | sed 's/^compose/vagrant_vm/'
press_power_button
say 'proved'
