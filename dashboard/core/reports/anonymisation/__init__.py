"""A report without the details of the machine that it was made on."""
