"""Athena's queries by DuckDB: names of the Glue catalog, views and `"$path"`."""
