"""The Docker Engine: a protocol in Netmodes' own terms, and its implementation; one file imports the SDK."""
