"""How requests travel from one network namespace to a server in another: finds the paths, describes the results of
requests, and traces single requests."""
