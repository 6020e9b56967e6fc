"""Private hosts of groups: requests, and the pages of a participant on the own host."""
