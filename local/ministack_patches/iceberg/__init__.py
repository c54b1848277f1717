"""Apache Iceberg tables: their definition in Glue, and their rows."""
