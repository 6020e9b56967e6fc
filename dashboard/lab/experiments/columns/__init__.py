"""The columns of an experiment that are not arms: the machine, the neighbour, another host."""
