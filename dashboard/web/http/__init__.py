"""Parts of the HTTP stack that every page uses: guards, sign-in, static files, error pages."""
