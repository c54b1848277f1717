"""What runs in Lambda: the forwarder (stream to Firehose) and the transform (change to rows)."""
