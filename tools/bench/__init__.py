"""A benchmark of both handlers against a floor and against handlers written without care."""
