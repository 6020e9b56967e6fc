"""The Docker Engine: what is asked of it, in our words; one file imports the SDK."""
