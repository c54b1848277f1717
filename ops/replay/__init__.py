"""Sends dead-lettered changes again: failed batches and Firehose's error records."""
