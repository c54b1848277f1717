"""Puts back what a pipeline set aside: failed batches and the records in its error prefix."""
