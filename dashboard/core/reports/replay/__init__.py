"""The recording of an experiment for replay: rows and pictures at every entry of its journal, packed for a browser."""
