# shellcheck shell=sh disable=SC2154  # $run, $folder, $name and $setup are those of private_host.sh
# Sourced by private_host.sh: becomes an engine of an ordinary user of the host. What follows rootless- in $setup is the
# driver of RootlessKit's network, for RootlessKit and dockerd (dockerd-rootless.sh of Moby), or podman, for Podman's service
# behind Docker's API (podman-system-service(1)).
user=64100
network=${setup#rootless-}
case $network in
    pasta) ports=implicit ;;
    *) ports=builtin ;;
esac

for file in passwd group; do
    cp "/etc/$file" "$folder/etc/$file"
done
echo "rootless:x:$user:$user::/nonexistent:/bin/sh" >> "$folder/etc/passwd"
echo "rootless:x:$user:" >> "$folder/etc/group"
for file in subuid subgid; do
    echo "rootless:1100000:65536" > "$folder/etc/$file"
done
# RootlessKit replaces /etc and /run by a tmpfs with links to the real ones.
for file in passwd group subuid subgid; do
    [ -e "/etc/$file" ] || : > "/etc/$file"
    mount --bind "$folder/etc/$file" "/etc/$file"
done

# slirp4netns and pasta open this device as the user.
mkdir -p /dev/net
mount -t tmpfs -o mode=0755 netmodes-net /dev/net
mknod -m 0666 /dev/net/tun c 10 200

# The user cannot reach a folder below a folder of root, but can reach a mount of it. RootlessKit replaces /run by
# links, which runc does not accept.
home=/mnt/home
mount -t tmpfs -o mode=0755 netmodes-home /mnt
mkdir -p "$home" "$folder/home"
mount --bind "$folder/home" "$home"
cp "$folder/daemon.json" "$home/daemon.json"
chown "$user:$user" "$run" "$home"
chmod 0700 "$run"

# A change of the user clears the signal that ends it with its parent, so it is set again.
become_user() {
    # shellcheck disable=SC2086  # words of options
    exec setpriv $TIE --reuid "$user" --regid "$user" --clear-groups -- env -i \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        "NETMODES_PRIVATE_HOST=$name" HOME="$home" XDG_RUNTIME_DIR="$run" "$@"
}

if [ "$network" = podman ]; then
    # Podman loads no image without a policy, and the machine may not have one.
    mkdir -p "$home/.config/containers"
    echo '{"default": [{"type": "insecureAcceptAnything"}]}' > "$home/.config/containers/policy.json"
    chown -R "$user:$user" "$home/.config"
    # Podman returns to the folder in which it was started.
    cd /
    become_user podman --runtime runc --root "$home/data" --storage-driver overlay --cgroup-manager cgroupfs \
        --events-backend file system service --time=0 "unix://$run/docker.sock"
fi

# shellcheck disable=SC2016  # the inner shell expands "$@"
become_user rootlesskit --state-dir="$run/kit" --net="$network" --mtu=1500 --port-driver="$ports" \
    --slirp4netns-sandbox=auto --slirp4netns-seccomp=auto --disable-host-loopback \
    --copy-up=/etc --copy-up=/run --propagation=rslave -- \
    /bin/sh -c 'rm -f /run/docker /run/containerd /run/xtables.lock; exec dockerd "$@"' dockerd \
    --rootless --config-file "$home/daemon.json" --data-root "$home/data" --exec-root "$run/exec" \
    --pidfile "$run/docker.pid" -H "unix://$run/docker.sock"
