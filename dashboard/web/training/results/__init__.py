"""Pages and files of the results of a training session."""
