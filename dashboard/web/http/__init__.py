"""HTTP code that all pages share: access checks, sign-in, static files and error pages."""
