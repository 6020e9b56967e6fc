"""Experiments with arms on several machines. Such an experiment consists of parts, one for each machine, and has one
merged journal."""
