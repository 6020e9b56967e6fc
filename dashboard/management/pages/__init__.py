"""The processes of ``./netmodes up``. Pages are served by the lab's process or by a separate one of an ordinary
user."""
