"""The benchmarks behind every figure in the README: each promise measured beside a named reference, in one run.

``./netmodes bench`` starts a private host, lets every benchmark run in a process of its own
(``python -m dashboard.bench NAME``), and prints what came out. docs/benchmarks.md says what each means.
"""
