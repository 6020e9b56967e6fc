"""Claims: statements about network modes that are executed and judged with evidence."""
