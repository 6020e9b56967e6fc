"""The parts of the HTTP stack that all pages share: guards, sign-in, static files, error pages."""
