"""Work between machines: requests and measuring clients on one machine for an experiment on another.

Labs do not talk to each other. A web process calls both: the lab of the experiment, and that of the client.
"""
