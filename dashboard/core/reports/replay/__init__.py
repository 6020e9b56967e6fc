"""The recording of an experiment for replay: its rows and diagrams after each entry of the journal, packed for a
browser."""
