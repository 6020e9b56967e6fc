"""Speaks netlink with the kernel: framing of messages, rtnetlink and sock_diag."""
