"""A seeded model of everything that stands around the handlers; the handlers in it are real."""
