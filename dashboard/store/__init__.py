"""Every query of the database, in the words of core."""
