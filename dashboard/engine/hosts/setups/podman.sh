# shellcheck shell=sh disable=SC2154  # $run, $folder, $name and $data are those of private_host.sh
# Sourced by private_host.sh: becomes Podman's service behind Docker's API (podman-system-service(1)).

# Podman puts containers below the cgroup /libpod_parent, whatever its own is. In a cgroup namespace (cgroup_namespaces(7))
# the root is a cgroup of the host. In version 1, cpuset starts without values.
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -e "$hierarchy/cgroup.procs" ] || continue
    part=$hierarchy
    for step in "$name" containers podman; do
        part=$part/$step
        mkdir -p "$part"
        for file in cpuset.cpus cpuset.mems; do
            [ ! -e "$hierarchy/$file" ] || cat "$hierarchy/$file" > "$part/$file"
        done
    done
    echo $$ > "$part/cgroup.procs"
    mount --bind "$part" "$hierarchy"
done

# Locks, sockets and states of other Podman services, of runc and of ip-netns(8) stay untouched.
mount --rbind "$run" /mnt
mount -t tmpfs -o mode=0755 netmodes-run /run
mkdir -p "$run"
mount --move /mnt "$run"

# The machine may have no policy for images, and Podman loads none without.
export HOME="$folder/home"
mkdir -p "$HOME/.config/containers" "$folder/networks"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' > "$HOME/.config/containers/policy.json"

# In version 2, a cgroup with controllers for its children has no processes of its own.
# shellcheck disable=SC2016  # the inner shell expands them
exec unshare --cgroup sh -c '
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        mkdir -p /sys/fs/cgroup/service
        echo $$ > /sys/fs/cgroup/service/cgroup.procs
    fi
    exec podman "$@"' podman \
    --runtime runc --root "$data" --runroot /run/containers --tmpdir /run/libpod \
    --storage-driver overlay --network-config-dir "$folder/networks" --cgroup-manager cgroupfs --events-backend file \
    system service --time=0 "unix://$run/docker.sock"
