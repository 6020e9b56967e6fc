"""Private hosts: Docker Engines that Netmodes starts in namespaces of their own."""
