"""The recording of an experiment for replay: rows and diagrams at every entry of its journal, packed for a browser."""
