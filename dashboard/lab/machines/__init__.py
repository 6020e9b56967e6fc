"""Requests and measurements from one machine for an experiment on another.

Labs do not communicate with each other. A web process calls both the lab of the experiment and the lab of the client.
"""
