"""The benchmarks behind every figure in the documents. Each one measures something that Netmodes promises, in many
cases compared with a reference.

``./netmodes bench`` starts a private host, runs every benchmark in its own process (``python -m dashboard.bench NAME
FOLDER``) and prints the results. docs/benchmarks.md explains each benchmark.
"""
