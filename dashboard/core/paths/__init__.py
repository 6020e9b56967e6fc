"""How a request travels from one network namespace to a server in another: found, requested, traced."""
