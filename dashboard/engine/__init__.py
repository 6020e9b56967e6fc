"""The Docker Engine: a protocol in our terms and its implementation; one file imports the SDK."""
