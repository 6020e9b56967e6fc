# shellcheck shell=sh disable=SC2154  # $run and $folder are those of private_host.sh
# Sourced by private_host.sh: starts firewalld on a D-Bus of the host. The engine finds it there when it starts and adds
# its bridges to a zone.
DBUS_SYSTEM_BUS_ADDRESS=unix:path=$run/bus
export DBUS_SYSTEM_BUS_ADDRESS
cat > "$folder/bus.conf" <<XML
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>$DBUS_SYSTEM_BUS_ADDRESS</listen>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
XML
# D-Bus and firewalld end with the engine, as the engine ends with its parent.
# shellcheck disable=SC2086  # words of options
${TIE:+setpriv $TIE --} dbus-daemon --config-file="$folder/bus.conf" --nofork --nopidfile &
mkdir -p "$folder/firewalld"
# firewalld makes a folder in /run, which would stay on the machine, so it gets its own /run.
# shellcheck disable=SC2016,SC2086  # the inner shell expands them; words of options
${TIE:+setpriv $TIE --} unshare --mount sh -c '
    mount --bind "$1" /mnt
    mount -t tmpfs netmodes-run /run
    mkdir -p "$1"
    mount --move /mnt "$1"
    exec firewalld --nofork --nopid --system-config "$2/firewalld" --log-file "$2/firewalld.log"' sh "$run" "$folder" &
# firewalld answers once its rules are in place, if it has its name on the bus. firewall-cmd would show the same, but is
# slow to start.
tries=200
until dbus-send --bus="$DBUS_SYSTEM_BUS_ADDRESS" --dest=org.fedoraproject.FirewallD1 --print-reply --reply-timeout=10000 \
    /org/fedoraproject/FirewallD1 org.freedesktop.DBus.Properties.Get string:org.fedoraproject.FirewallD1 string:state \
    2> /dev/null | grep -q RUNNING; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
        tail -n 1 "$folder/firewalld.log" >&2
        exit 1
    fi
    sleep 0.05
done
