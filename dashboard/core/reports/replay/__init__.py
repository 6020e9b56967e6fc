"""The recording of an experiment, which a browser replays: rows and diagrams after each entry of the journal."""
