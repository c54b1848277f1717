"""Cases of the rules for production stacks."""

from typing import Any

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.cases import Case, made

KEPT = "production-data-kept"
TABLE_KEPT = {"deletionProtectionEnabled": True, "pointInTimeRecovery": {"enabled": True}}
UNPROTECTED = "one `pulumi destroy` deletes the table; set it to true."
UNRECOVERABLE = "what is overwritten by mistake cannot be had back; set it to true."
DESTROYED = (
    "forceDestroy=true in a production stack: one `pulumi destroy` deletes it with all that is in"
    " it; drop it."
)


def table(stack: str, **props: Any) -> Resource:
    return made("dynamodb/table:Table", "orders", props, stack=stack)


def bucket(stack: str, **props: Any) -> Resource:
    return made("s3/bucket:Bucket", "lake", {"bucket": "lake-1", **props}, stack=stack)


def unkept(stack: str, **config: Any) -> Case:
    found = [
        (
            "orders",
            f"deletionProtectionEnabled is not set in a production stack: {UNPROTECTED}",
        ),
        (
            "orders",
            f"pointInTimeRecovery.enabled is not set in a production stack: {UNRECOVERABLE}",
        ),
    ]
    return Case(f"a table as AWS makes it in {stack}", KEPT, [table(stack)], found, config)


PRODUCTION = [
    Case("a table that is kept", KEPT, [table("prod", **TABLE_KEPT)]),
    Case(
        "what is unknown as yet",
        KEPT,
        [table("prod", deletionProtectionEnabled=UNKNOWN, pointInTimeRecovery=UNKNOWN)],
    ),
    Case("a bucket that is kept", KEPT, [bucket("prod"), bucket("prod", forceDestroy=False)]),
    Case(
        "stacks that are no production",
        KEPT,
        [table(name) for name in ("dev", "preprod", "product", "delivery", "reproduction")],
    ),
    Case("a stack by another name", KEPT, [table("prod")], config={"stacks": ["live"]}),
    *(
        unkept(name)
        for name in (
            *("prod", "production", "live", "Prod", "PRODUCTION"),
            *("prod-tokyo", "prod_eu", "prod.eu", "eu-prod", "eu.Live", "etl-production-2"),
            *("prod2", "eu1prod", "2live"),
        )
    ),
    unkept("Blue-2", stacks=["BLUE"]),
    unkept("ours", stacks=["*"]),
    unkept("live-eu", stacks=["live-*"]),
    Case(
        "a table whose protection is off",
        KEPT,
        [table("prod", deletionProtectionEnabled=False, pointInTimeRecovery={"enabled": False})],
        [
            ("orders", f"deletionProtectionEnabled=false in a production stack: {UNPROTECTED}"),
            (
                "orders",
                f"pointInTimeRecovery.enabled=false in a production stack: {UNRECOVERABLE}",
            ),
        ],
    ),
    Case(
        "a bucket and a workgroup that go with all that is in them",
        KEPT,
        [
            bucket("prod", forceDestroy=True),
            made("athena/workgroup:Workgroup", "ask", {"forceDestroy": True}, stack="prod"),
        ],
        [("lake", DESTROYED), ("ask", DESTROYED)],
    ),
]

VERSIONED = "production-buckets-versioned"
GONE = 'what is deleted or overwritten is gone; {}set versioningConfiguration.status to "Enabled".'


def versioning(status: Any) -> Resource:
    props = {"bucket": "lake-1", "versioningConfiguration": {"status": status}}
    return made("s3/bucketVersioning:BucketVersioning", "versions", props, stack="prod")


VERSIONS = [
    Case("a bucket with versions", VERSIONED, [bucket("prod"), versioning("Enabled")]),
    Case("what is unknown as yet", VERSIONED, [bucket("prod"), versioning(UNKNOWN)]),
    Case("versions inside the bucket", VERSIONED, [bucket("prod", versioning={"enabled": True})]),
    Case("a stack that is no production", VERSIONED, [bucket("dev")]),
    Case("a stack by another name", VERSIONED, [bucket("prod")], config={"stacks": ["live"]}),
    Case(
        "a bucket without versions",
        VERSIONED,
        [bucket("prod")],
        [
            (
                "lake",
                "no BucketVersioning names this bucket of a production stack: "
                + GONE.format("add one and "),
            )
        ],
    ),
    Case(
        "a bucket whose versions are off",
        VERSIONED,
        [bucket("prod"), versioning("Suspended")],
        [
            (
                "versions",
                'versioningConfiguration.status="Suspended" in a production stack: '
                + GONE.format(""),
            )
        ],
    ),
]

CASES = [*PRODUCTION, *VERSIONS]
