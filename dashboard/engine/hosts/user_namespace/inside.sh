#!/bin/sh
# The second part of the start of a private host in a user namespace; boot.py is the first. Root of the host runs it, as
# process 1 of the host's pid namespace: everything in the host ends when it ends.
# $1 folder with data/, $2 short folder for sockets. host/ is the host's file system.
set -eu

folder=$1 run=$2
cd /host
# Read-only where the machine's is.
mount -t sysfs -o nosuid,nodev,noexec sysfs sys 2> /dev/null || mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
# cgroups, processes, terminals, shared memory, the layers of the template and the new root, all with one program.
mount --all --fstab /etc/fstab

cd /host
# Debian 14 has the program in a package that is not always installed (util-linux-extra).
$(command -v pivot_root || echo busybox pivot_root) . mnt
cd /
umount -l /mnt
# Docker bind-mounts its data-root onto itself, hiding what is mounted below, unless it is a shared mount already
# (moby, daemon/daemon_linux.go).
mount --make-shared "$folder/data"

# The messages of the engine go to the host's disk: the log on the machine's disk has no limit.
exec > "$folder/data/dockerd.log" 2>&1
# This shell collects processes that lost their parent, and ends with dockerd. A background job starts with SIGINT and SIGQUIT
# ignored and would pass that on to containers.
default_signals=
! env --default-signal=INT,QUIT true 2> /dev/null || default_signals=--default-signal=INT,QUIT
# containerd is a service of its own, as with systemd. dockerd would start it as well, but try to connect before it listens, and
# only try again after one second (gRPC). If it ends while dockerd runs, it is started again.
while :; do
    # shellcheck disable=SC2086 # no word if it is empty
    env $default_signals containerd --config /etc/containerd/config.toml --log-level warn || :
    [ -e "$run/exec/docker.pid" ] || break
    sleep 1
done &
until [ -S "$run/exec/containerd/containerd.sock" ]; do
    kill -0 $! 2> /dev/null || exit 1
    sleep 0.03
done
# shellcheck disable=SC2086 # no word if it is empty
env $default_signals dockerd \
    --config-file /etc/docker/daemon.json \
    --data-root "$folder/data" \
    --exec-root "$run/exec" \
    --pidfile "$run/exec/docker.pid" \
    --containerd "$run/exec/containerd/containerd.sock" \
    --exec-opt native.cgroupdriver=cgroupfs \
    --cgroup-parent /containers \
    -H "unix://$run/docker.sock" &
daemon=$!
trap 'kill -TERM "$daemon"' TERM
while kill -0 "$daemon" 2> /dev/null; do
    wait "$daemon" || :
done
