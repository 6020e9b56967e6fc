"""The replay of an experiment: rows and pictures at every entry of its journal, packed for a browser."""
