"""The processes of ``up``: pages are served by the lab's process, or by one of an ordinary user."""
