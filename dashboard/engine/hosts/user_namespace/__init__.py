"""The start of a private host in a user namespace: ``boot`` outside of it, ``inside.sh`` in it."""
