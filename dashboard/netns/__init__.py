"""Reads network namespaces from outside, over netlink and sock_diag, and sends packets from inside them."""
