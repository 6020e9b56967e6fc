"""Pages and files with the results of a training session."""
