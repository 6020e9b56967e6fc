"""The limit on the open files of a process."""

import resource

MAX_DESCRIPTORS = 65536


def raise_descriptor_limit() -> int:
    """Raises the limit on open files (RLIMIT_NOFILE) as far as permitted. Returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_DESCRIPTORS
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)
