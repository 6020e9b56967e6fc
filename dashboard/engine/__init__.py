"""Talks to the Docker Engine. ``protocol`` declares the operations that Netmodes uses, ``docker_engine`` implements
them, and only ``docker_connection`` imports the Docker SDK."""
