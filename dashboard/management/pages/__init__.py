"""The processes of ``up``: pages in the process of the lab, or in one of an ordinary user."""
