"""Private hosts of groups: requests, and the pages of a participant about the group's host."""
