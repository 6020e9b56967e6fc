#!/bin/sh
# A shell on a private host for one user, in two stages; the last one becomes the shell.
# enter: enters the host's cgroup and its namespaces, and new mount, pid, IPC and cgroup namespaces.
# build: builds a file system with tools, the host's socket and an empty home, drops privileges and executes the shell;
#        as process 1 of its namespace it ends everything when it ends.
set -eu

stage=$1
shift

case $stage in
enter)
    # $1 the namespaces to enter: a name and a descriptor each; $2 and on: the arguments of build, then -- and the
    # cgroup's files.
    options='' descriptors=''
    for word in $1; do
        options="$options --${word%=*}=/proc/self/fd/${word#*=}"
        descriptors="$descriptors ${word#*=}"
    done
    shift
    # This file may not be visible in the host.
    script=$(cat "$0")
    # Everything before -- is passed to build.
    count=$#
    while [ "$count" -gt 0 ]; do
        word=$1
        shift
        count=$((count - 1))
        [ "$word" != -- ] || break
        set -- "$@" "$word"
    done
    while [ "$count" -gt 0 ]; do
        # Without its cgroup the host has just been stopped: end as everything in it has ended.
        { echo $$ > "$1"; } 2> /dev/null || kill -s KILL $$
        shift
        count=$((count - 1))
    done
    # shellcheck disable=SC2086 # a word for each namespace
    exec prlimit --core=0 --nofile=4096 nsenter $options -- \
        unshare --mount --pid --ipc --cgroup --propagation private --fork --kill-child -- \
        /bin/sh -c "$script" shell build "$descriptors" "$@"
    ;;

build)
    # $1 the descriptors to close, $2 an empty folder, $3 the socket of the host's engine, $4 the folder with its
    # resolv.conf and hosts, $5 the terminal's device, $6 the socket that answers netstat and ss, or empty, $7 the folder
    # to hide, $8 the greeting.
    descriptors=$1 root=$2 socket=$3 etc=$4 device=$5 ask=$6 hidden=$7 greeting=$8
    umask 022
    mount -t tmpfs -o mode=0755,size=2m netmodes-shell "$root"
    cd "$root"
    mkdir usr etc dev proc sys tmp root run var old opt opt/bin
    bind_readonly() { # a file or folder of the machine
        mount --bind "$1" "$2"
        mount -o "remount,bind,ro,nosuid,nodev" "$2"
    }
    bind_readonly /usr usr
    for name in bin sbin lib lib32 lib64 libx32; do
        if [ -L "/$name" ]; then
            ln -s "$(readlink "/$name")" "$name"
        elif [ -d "/$name" ]; then
            mkdir "$name"
            bind_readonly "/$name" "$name"
        fi
    done
    # If the data folder is below one of these, it appears empty here.
    case $hidden in
        /usr/*) [ ! -d "$root$hidden" ] || mount -t tmpfs -o ro,size=4k netmodes-hidden "$root$hidden" ;;
    esac

    for name in alternatives terminfo iproute2 ssl/certs ld.so.conf.d; do
        if [ -d "/etc/$name" ]; then
            mkdir -p "etc/$name"
            bind_readonly "/etc/$name" "etc/$name"
        fi
    done
    for name in ld.so.cache ld.so.conf services protocols inputrc localtime; do
        [ ! -f "/etc/$name" ] || cp "/etc/$name" "etc/$name"
    done
    echo 'root:x:0:0:root:/root:/bin/bash' > etc/passwd
    echo 'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin' >> etc/passwd
    echo 'root:x:0:' > etc/group
    echo 'tty:x:5:' >> etc/group
    echo 'nogroup:x:65534:' >> etc/group
    # tcpdump switches to this user, if it is installed.
    grep '^tcpdump:' /etc/passwd >> etc/passwd || :
    grep '^tcpdump:' /etc/group >> etc/group || :
    printf 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n' > etc/nsswitch.conf
    cat /proc/sys/kernel/hostname > etc/hostname
    ln -s /proc/self/mounts etc/mtab
    for name in resolv.conf hosts; do
        : > "etc/$name"
        mount --bind "$etc/$name" "etc/$name"
    done

    mount -t tmpfs -o mode=0755,size=64k,nosuid netmodes-dev dev
    mkdir dev/pts dev/shm
    for name in null zero full random urandom tty; do
        : > "dev/$name"
        mount --bind "/dev/$name" "dev/$name"
    done
    : > dev/console
    mount --bind "$device" dev/console
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5,max=64,nosuid,noexec netmodes-pts dev/pts
    mount -t tmpfs -o mode=1777,size=8m,nosuid,nodev netmodes-shm dev/shm
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    ln -s /proc/self/fd/0 dev/stdin
    ln -s /proc/self/fd/1 dev/stdout
    ln -s /proc/self/fd/2 dev/stderr

    mount -t proc -o nosuid,nodev,noexec proc proc
    for name in acpi asound scsi; do
        [ ! -d "proc/$name" ] || mount -t tmpfs -o ro,size=4k netmodes-hidden "proc/$name"
    done
    for name in kcore keys latency_stats timer_list sched_debug sysrq-trigger kmsg kallsyms; do
        [ ! -e "proc/$name" ] || mount --bind /dev/null "proc/$name"
    done
    for name in bus fs irq sys; do
        [ ! -d "proc/$name" ] || { mount --bind "proc/$name" "proc/$name"; mount -o remount,bind,ro "proc/$name"; }
    done
    # Network sysctls are the host's own.
    mount --bind proc/sys/net proc/sys/net
    mount -o remount,bind,rw proc/sys/net
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
    for name in firmware kernel; do
        [ ! -d "sys/$name" ] || mount -t tmpfs -o ro,size=4k netmodes-hidden "sys/$name"
    done

    mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev netmodes-tmp tmp
    mount -t tmpfs -o mode=0700,size=64m,nosuid,nodev netmodes-home root
    mount -t tmpfs -o mode=0755,size=1m,nosuid,nodev netmodes-run run
    mkdir run/lock var/log
    ln -s ../run var/run
    ln -s ../tmp var/tmp
    : > run/docker.sock
    mount --bind "$socket" run/docker.sock
    if [ -S "$ask" ]; then
        : > run/names.sock
        mount --bind "$ask" run/names.sock
    fi

    # The host's processes are not visible here: the lab answers netstat and ss when they are to name processes.
    cat > opt/bin/netstat <<'TOOL'
#!/bin/sh
tool=${0##*/}
real=/usr/bin/$tool
[ -x "$real" ] || real=/bin/$tool
case " $*" in
    *' -'*p* | *' --pro'*)
        if [ -S /run/names.sock ] && [ -x /usr/bin/curl ]; then
            printf '%s\0' "$tool" "$@" | curl --silent --fail --no-buffer --max-time 20 --unix-socket /run/names.sock \
                --data-binary @- http://names/ && exit 0
        fi ;;
esac
exec "$real" "$@"
TOOL
    cp opt/bin/netstat opt/bin/ss
    # Every user is root here.
    printf '#!/bin/sh\nexec "$@"\n' > opt/bin/sudo
    chmod 0755 opt/bin/*
    cat > etc/bash.bashrc <<'RC'
PS1='\[\e[1m\]\h\[\e[0m\]:\w\$ '
HISTSIZE=1000
HISTFILE=/root/.history
alias ls='ls --color=auto'
RC
    cp etc/bash.bashrc root/.bashrc
    printf '. /etc/bash.bashrc\ncat /etc/greeting\n' > etc/profile
    printf '%s\n' "$greeting" > etc/greeting

    # Debian 14 has the program in a package that is not always installed (util-linux-extra).
    $(command -v pivot_root || echo busybox pivot_root) . old
    cd /
    umount -l /old
    rmdir /old
    mount -o remount,bind,ro /
    # A background job of a script starts with SIGINT and SIGQUIT ignored: a shell that inherits that passes it on to
    # its programs, and Ctrl-C does nothing. env has the option from coreutils 8.31 on.
    default_signals=
    ! env --default-signal=INT,QUIT true 2>/dev/null || default_signals=--default-signal=INT,QUIT
    # shellcheck disable=SC2086,SC2016 # no word if it is empty, a word for each descriptor; the inner shell expands
    exec env -i $default_signals PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root LOGNAME=root \
        SHELL=/bin/bash TERM=xterm-256color LANG=C.UTF-8 DOCKER_HOST=unix:///run/docker.sock DOCKER_CLI_HINTS=false \
        setpriv --no-new-privs --inh-caps=-all \
        --bounding-set=-all,+chown,+fowner,+kill,+net_admin,+net_bind_service,+net_raw,+setgid,+setuid -- \
        /bin/bash -c 'for fd; do eval "exec $fd<&-"; done; cd; setsid --ctty --wait /bin/bash --login; exit $?' \
        bash $descriptors
    ;;
esac
