"""The benchmarks behind every figure in the documents: each measures a promise and compares it with a named reference.

``./netmodes bench`` starts a private host, runs every benchmark in its own process (``python -m dashboard.bench NAME``)
and prints the results. docs/benchmarks.md explains each of them.
"""
