"""All queries of the database. Their arguments and results use the types of ``core``."""
