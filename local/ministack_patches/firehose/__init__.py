"""Firehose delivery streams as AWS runs them: buffer, deaggregate, transform, deliver.

ministack delivers inside PutRecord, one object per record, and holds a lock while the transform
runs, so that a transform that requeues records would wait for itself. It also drops records with
ProcessingFailed, never retries, and delivers invalid responses.
"""
