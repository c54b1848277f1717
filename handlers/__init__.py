"""Code that runs in Lambda: forwarder, transform and backfill."""
