"""The processes of ``./netmodes up``. Pages are served by the lab's process or, if the lab runs as root, by a separate
process without root's privileges."""
