"""Starts a private host in a user namespace: ``boot`` runs outside the namespace, ``inside.sh`` in it."""
