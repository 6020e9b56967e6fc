"""Every query of the database, in terms of the types of ``core``."""
