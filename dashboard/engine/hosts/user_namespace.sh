#!/bin/sh
# A private host in a user namespace, in three stages; the last one runs its dockerd.
# modules: root of the machine, in new network, mount and UTS namespaces, not yet under the filter of system calls.
# outside: root of the machine, in the same namespaces, under the filter. Enters the cgroups, creates the host's namespaces
#          and LAN, and builds its file system; nothing else of the machine's files stays in sight.
# inside:  root of the host, process 1 of its pid namespace: everything in the host ends when it ends.
set -eu

stage=$1
shift

case $stage in
modules)
    # $1 and on: the command that loads the filter and runs the next stage.
    # The kernel loads no module for a process in a user namespace.
    if [ -e /proc/modules ]; then
        modprobe -qa bridge br_netfilter overlay veth xt_addrtype xt_conntrack xt_MASQUERADE 2> /dev/null || :
        for table in filter nat mangle raw; do
            iptables -w 5 -t "$table" -S > /dev/null 2>&1 || :
            ip6tables -w 5 -t "$table" -S > /dev/null 2>&1 || :
        done
    fi
    exec "$@"
    ;;

outside)
    # $1 name, $2 folder with etc/, data/, disk, root, cgroups, limits, layers and daemon.json, $3 short folder for sockets,
    # $4 the machine's id of the host's root.
    name=$1 folder=$2 run=$3 base=$4
    top=
    # First, so that everything started from here on is in the host's cgroup.
    while read -r top; do
        echo $$ > "$top/cgroup.procs"
    done < "$folder/cgroups"
    echo "$name" > /proc/sys/kernel/hostname

    # The host's user namespace owns its network, UTS and cgroup namespaces. They are created while this process is in the
    # host's topmost cgroup, which is therefore the root of what the host sees. A process holds them until they are mounted:
    # unshare(1) cannot mount a namespace that it may no longer see.
    mkdir "$run/ns"
    unshare --user --net --uts --cgroup --map-users="0:$base:65536" --map-groups="0:$base:65536" --setuid 0 --setgid 0 \
        -- sleep 60 &
    holder=$!
    until grep -qs " $base " "/proc/$holder/uid_map" && grep -qs " $base " "/proc/$holder/gid_map"; do
        kill -0 "$holder"
        sleep 0.005
    done
    for space in user net uts cgroup; do
        : > "$run/ns/$space"
        mount --bind "/proc/$holder/ns/$space" "$run/ns/$space"
    done
    kill "$holder"
    wait "$holder" 2> /dev/null || :

    while read -r top; do
        echo $$ > "$top/engine/cgroup.procs"
    done < "$folder/cgroups"
    # In this mount namespace only, so that it disappears with the host (disk.py).
    if [ -e "$folder/disk" ]; then
        mount -t ext4 -o loop,noinit_itable "$folder/disk" "$folder/data"
        # Root of the host may have put something into it.
        rmdir "$folder/data/lost+found" 2> /dev/null || :
        chown "$base:$base" "$folder/data"
        chmod 0711 "$folder/data"
    fi
    # In the unified hierarchy a cgroup with processes cannot delegate controllers, so this is done only now.
    while read -r file value; do
        echo "$value" > "$file" || [ "${file##*/}" = cgroup.subtree_control ]
    done < "$folder/limits"

    net=$run/ns/net
    # shellcheck source=dashboard/engine/hosts/lan.sh
    . "${0%/*}/lan.sh"

    # What is mounted here: host/, the host's file system; proc and sys, the machine's, because the kernel permits new ones
    # only beside complete ones; namespaces and layers of the template.
    tree=$folder/tree
    mkdir -p "$tree"
    mount -t tmpfs -o mode=0755,size=8m netmodes-root "$tree"
    cp "$0" "$tree/script.sh"
    mkdir "$tree/host" "$tree/proc" "$tree/sys" "$tree/old" "$tree/ns" "$tree/layers" "$tree/etc" "$tree/dev"
    cd "$tree"
    mount --rbind /proc proc
    mount --rbind /sys sys
    for space in user net uts cgroup; do
        : > "ns/$space"
        mount --bind "$run/ns/$space" "ns/$space"
    done

    cd host
    mkdir usr etc dev proc sys tmp root run var var/lib var/log mnt opt home srv
    # Without nosuid and nodev: runc cannot mount a file from here read-only if it has to keep them (docker run --init).
    # The set-user-ID bit has no effect in the host, because the machine's root is no user of it.
    bind_readonly() { # a file or folder of the machine
        mount -o bind,ro "$1" "$2"
    }
    root=$(cat "$folder/root" 2> /dev/null || :)
    find_place() { # the place in the root whose engine runs, or the machine's
        if [ -e "$root/$1" ] || [ -L "$root/$1" ]; then source=$root/$1; else source=/$1; fi
    }
    bind_readonly "$root/usr" usr
    ln -s host/usr ../usr
    for place in bin sbin lib lib32 lib64 libx32; do
        find_place "$place"
        if [ -L "$source" ]; then
            ln -s "$(readlink "$source")" "$place"
            ln -s "$(readlink "$source")" "../$place"
        elif [ -d "$source" ]; then
            mkdir "$place"
            bind_readonly "$source" "$place"
            ln -s "host/$place" "../$place"
        fi
    done

    for place in alternatives terminfo iproute2 ssl/certs ld.so.conf.d; do
        find_place "etc/$place"
        if [ -d "$source" ]; then
            mkdir -p "etc/$place"
            bind_readonly "$source" "etc/$place"
        fi
    done
    set --
    for file in ld.so.conf services protocols ethertypes inputrc localtime passwd group ld.so.cache; do
        find_place "etc/$file"
        [ ! -f "$source" ] || set -- "$@" "$source"
    done
    cp "$@" etc
    [ ! -e etc/ld.so.cache ] || cp etc/ld.so.cache ../etc
    printf 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n' > etc/nsswitch.conf
    echo "$name" > etc/hostname
    ln -s /proc/self/mounts etc/mtab
    mkdir etc/docker
    cp "$folder/daemon.json" etc/docker/daemon.json
    chown -h "$base:$base" . etc etc/* dev tmp root run var var/* mnt opt home srv 2> /dev/null || :
    # Written by the machine's root only, so that they cannot fill its disk.
    for file in resolv.conf hosts; do
        : > "etc/$file"
        mount --bind "$folder/etc/$file" "etc/$file"
    done

    mkdir dev/pts dev/shm
    while read -r device major minor; do
        mknod -m 0666 "dev/$device" c "$major" "$minor"
    done <<DEVICES
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
DEVICES
    mknod -m 0666 ../dev/null c 1 3
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    ln -s /proc/self/fd/0 dev/stdin
    ln -s /proc/self/fd/1 dev/stdout
    ln -s /proc/self/fd/2 dev/stderr

    ln -s ../run var/run
    ln -s ../tmp var/tmp
    chmod 0700 root
    mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev netmodes-tmp tmp
    mkdir -p "./$folder/data" "./$run"
    mount --bind "$folder/data" "./$folder/data"
    mount --bind "$run" "./$run"
    # Written by the host's root. It is not on the disk, because it must be empty after a restart.
    mkdir -p "./$run/exec"
    mount -t tmpfs -o "mode=0711,size=32m,nr_inodes=16k,uid=$base,gid=$base" netmodes-exec "./$run/exec"
    for space in "$run"/lan "$run"/neighbour*; do
        mount --bind "$space" "./$space"
    done
    chown -h "$base:$base" dev/*

    # Mounted here because only the machine's root may change the ids of a file system of the machine; the second stage
    # mounts each in its place, where the host may unmount it when an image is removed.
    number=0
    while read -r layer place; do
        if [ -d "$folder/data/$place" ]; then
            mkdir "../layers/$number"
            mount -o "bind,ro,X-mount.idmap=$run/ns/user" "$layer" "../layers/$number"
            echo "$number $place" >> ../layers/list
            number=$((number + 1))
        fi
    done < "$folder/layers"

    cd "$tree"
    # Debian 14 has the program in a package that is not always installed (util-linux-extra).
    $(command -v pivot_root || echo busybox pivot_root) . old
    cd /
    umount -l /old
    # A change of the user clears the signal that ends it with its parent, so it is set again.
    # shellcheck disable=SC2086 # a word for each option
    exec nsenter --user=/ns/user --net=/ns/net --uts=/ns/uts --cgroup=/ns/cgroup -- ${TIE:+setpriv $TIE --} \
        unshare --mount --pid --ipc --propagation private --fork --kill-child -- /bin/sh /script.sh inside "$folder" "$run"
    ;;

inside)
    # $1 and $2: $2 and $3 of the first stage.
    folder=$1 run=$2
    cd /host
    mount -t proc -o nosuid,nodev,noexec proc proc
    # Read-only where the machine's is.
    mount -t sysfs -o nosuid,nodev,noexec sysfs sys 2> /dev/null || mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
    # The hierarchies in which this host has a cgroup.
    while IFS=: read -r _ controllers place; do
        [ "$place" = /engine ] || continue
        if [ -z "$controllers" ]; then
            mount -t cgroup2 -o nosuid,nodev,noexec cgroup sys/fs/cgroup
            continue
        fi
        mountpoint -q sys/fs/cgroup || mount -t tmpfs -o mode=0755,size=64k,nosuid,nodev,noexec netmodes-cgroup sys/fs/cgroup
        mkdir "sys/fs/cgroup/${controllers#name=}"
        case $controllers in name=*) controllers=none,$controllers ;; esac
        mount -t cgroup -o "nosuid,nodev,noexec,$controllers" cgroup "sys/fs/cgroup/${controllers#none,name=}"
    done < /proc/self/cgroup
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5,nosuid,noexec netmodes-pts dev/pts
    mount -t tmpfs -o mode=1777,size=16m,nosuid,nodev netmodes-shm dev/shm
    mkdir run/containerd run/lock

    if [ -e /layers/list ]; then
        while read -r number place; do
            mount --bind "/layers/$number" "./$folder/data/$place"
        done < /layers/list
    fi

    # Mounted onto itself: what came with the mount namespace is locked in its place.
    mount --rbind /host /host
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
    # This shell collects processes that lost their parent, and ends with dockerd. A background job starts with SIGINT and
    # SIGQUIT ignored and would pass that on to containers.
    default_signals=
    ! env --default-signal=INT,QUIT true 2> /dev/null || default_signals=--default-signal=INT,QUIT
    # shellcheck disable=SC2086 # no word if it is empty
    env $default_signals dockerd \
        --config-file /etc/docker/daemon.json \
        --data-root "$folder/data" \
        --exec-root "$run/exec" \
        --pidfile "$run/exec/docker.pid" \
        --exec-opt native.cgroupdriver=cgroupfs \
        --cgroup-parent /containers \
        -H "unix://$run/docker.sock" &
    daemon=$!
    trap 'kill -TERM "$daemon"' TERM
    while kill -0 "$daemon" 2> /dev/null; do
        wait "$daemon" || :
    done
    ;;
esac
