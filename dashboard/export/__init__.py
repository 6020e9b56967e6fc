"""Reports as documents to pass on: one HTML file, PDF, tables and text."""
