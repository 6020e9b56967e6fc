"""The kernel: network namespaces, read from outside over netlink and sock_diag."""
