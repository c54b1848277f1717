"""Pulumi's options for resources whose deletion loses data or access to it."""

import pulumi

from streaming_etl.components.settings.protection import Protection

DATA = frozenset(
    {
        "aws:dynamodb/table:Table",
        "aws:glue/catalogDatabase:CatalogDatabase",
        "aws:s3/bucket:Bucket",
    }
)
"""Resources that hold data, or whose deletion deletes other resources' data.

A Glue table is one of them if it is an Iceberg table, because its metadata names the rows.
"""

ACCESS = frozenset(
    {
        "aws:athena/namedQuery:NamedQuery",
        "aws:athena/workgroup:Workgroup",
        "aws:glue/catalogTable:CatalogTable",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketNotification:BucketNotification",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
    }
)
"""Resources without which kept data would be open, unencrypted, without events or not queryable.

The alarm `dead-lettered` of a pipeline that takes over the bucket needs its events.
"""


def deletion_options(protection: Protection) -> pulumi.ResourceTransformation:
    """Return a transformation that protects or retains resources by their type.

    By type and in one place, so that a stage cannot omit it for a new resource.
    """

    def transform(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        is_data = args.type_ in DATA or args.props.get("open_table_format_input") is not None
        if protection.protect and is_data:
            option = pulumi.ResourceOptions(protect=True)
        elif protection.retain and (is_data or args.type_ in ACCESS):
            option = pulumi.ResourceOptions(retain_on_delete=True)
        else:
            # Without an option, so that a resource inherits those of the pipeline itself.
            return None
        options = pulumi.ResourceOptions.merge(args.opts, option)
        return pulumi.ResourceTransformationResult(args.props, options)

    return transform
