"""Netlink: framing, rtnetlink and sock_diag."""
