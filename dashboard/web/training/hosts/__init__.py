"""Private hosts of groups: requests for hosts, and a participant's pages about the group's host."""
