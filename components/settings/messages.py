"""Sentences of all problems with settings, one template per rule."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi

if TYPE_CHECKING:
    from streaming_etl.components.settings.validation import Problem

MAX_VALUE_LENGTH = 200

# {name} is the setting, {value} its value, {related} the settings that the rule compares.
MESSAGES: Mapping[str, str] = {
    # Rules of one setting.
    "type": "{name} must be {kind} (got {value}). Change the type of the value.",
    "pattern": "{name} must be {kind} (got {value}). Correct the value.",
    "too-many-bytes": (
        "{name} must have at most {most} bytes (got {value} with {length}). Use a shorter name."
    ),
    "range": (
        "{name} must be from {low} to {high} (got {value}). {reason}: use a number in this range."
    ),
    "choice": "{name} must be one of {choices} (got {value}). Use one of them.",
    "unavailable-choice": (
        "{name} must be one of {choices} (got {value}). {reason}: use one of the others."
    ),
    "required": "{name} must be set (got no value). Add it.",
    "known-value": (
        "{name} must be a plain value (got the output of a resource, or a secret). It is"
        " checked before any resource exists: write the value out."
    ),
    "unknown-setting": "{name} is not a setting. Use {suggestions}.",
    "renamed-setting": "`{old}` was renamed. Use `{new}`.",
    "per-table-setting": "{name} must be set by each table (got {value}). Move it to the table.",
    "two-names": "{name} must have one value (got two, by two names). Remove one.",
    "too-few": "{name} must have {least} or more entries (got {value}). Add entries.",
    "too-many": "{name} must have at most {most} entries (got {value}). Remove entries.",
    "duplicate": "{name} must not repeat an entry (got {value} twice). Remove one.",
    "json-object": (
        "{name} must hold JSON objects as text (got {value})."
        ' Write for example {{"dynamodb": {{...}}}}.'
    ),
    "pattern-length": (
        "{name} must hold patterns of at most {most} characters (got {length}: {value}). Split the"
        " pattern: a change has to match one of them."
    ),
    "pattern-field": (
        "{name} must filter by fields of a stream record (got {place} in {value}). Use one of"
        " {choices}."
    ),
    "pattern-list": (
        "{name} must compare {place} with a list that is not empty (got {value}). Write for"
        ' example ["a"].'
    ),
    "pattern-object": (
        "{name} must name fields below {place} (got {value}). An attribute has a type: write for"
        ' example {{"id": {{"S": ["a"]}}}}.'
    ),
    "pattern-number": (
        "{name} must compare {place} with text (got a number in {value}). A stream record holds"
        ' numbers as text, so no change would match: write for example ["5"].'
    ),
    "reserved-name": (
        "{name} must not have a reserved name or prefix, which are {reserved} (got"
        " {item}). Rename it."
    ),
    "tag-length": (
        "{name} must have 1 to {most_key} characters in the key and at most {most} in the value"
        " (got {value}). Shorten it."
    ),
    "tag-character": (
        "{name} must consist of letters, digits, spaces and _ . : / = + - @ (got {value} and"
        " character {character}). Replace the character."
    ),
    "same-but-for-case": (
        "{name} must differ from {other} in more than upper and lower case (got {item}). IAM"
        " treats both as one tag: remove one."
    ),
    "partition-key": (
        "{name} must be at most 64 of a-z 0-9 _ and not begin with a digit (got {item}). Rename it."
    ),
    "partition-character": (
        "{name} must not contain {character} (got {value}). Athena or Firehose reads the character"
        " as syntax and misses the rows: replace it here and in transform."
    ),
    "schedule": (
        "{name} must have valid fields (got {value}: {reason}). Set minute, hour, day of month,"
        " month, day of week and year, such as cron(10 * * * ? *)."
    ),
    "schedule-days": (
        "{name} must have ? as day of month or day of week, and a value in the other field (got"
        " {value}). Write for example cron(10 * * * ? *)."
    ),
    "schedule-interval": (
        "{name} must leave at least {low} minutes between two runs (got {value} with {minutes})."
        " Glue starts no crawler more often: set an interval such as cron(0/5 * * * ? *)."
    ),
    "time-zone": (
        "{name} must be an IANA time zone (got {value}). Use a name such as Asia/Tokyo or UTC."
    ),
    "firehose-time-zone": (
        "{name} must consist of letters, / and _ (got {value}). Firehose rejects other names: use"
        " the zone of a city."
    ),
    "pipeline-name": (
        "{name} must be a-z 0-9 and single - between them, a letter first (got {value}). Bucket"
        " names are derived from it: rename the pipeline."
    ),
    "pipeline-name-length": (
        "{name} must have at most {most} characters (got {value}). AWS limits the names derived"
        " from it: shorten it."
    ),
    "lake-table-name": (
        "{name} must have names of a-z 0-9 and single - between them, a letter first (got"
        " {value}). Names in AWS are derived from it: rename the lake table."
    ),
    "lake-table-name-length": (
        "{name} must have names of at most {most} characters after {pipeline}- (got {value} with"
        " {length}). AWS limits the names derived from both: shorten one."
    ),
    "event-pattern-length": (
        "{name} must give an event pattern of at most {most} characters (got {length}). EventBridge"
        " rejects longer ones, and it contains the key prefix of each lake table: shorten"
        " database_name and glue_table_name, or leave out database_name."
    ),
    "where-attribute": "{name} must name an attribute of the item (got {item}). Write its name.",
    "where-condition": (
        "{name} must be a list of values or {{prefix: text}} (got {value}). Write for example"
        " [customer] or {{prefix: ORDER#}}."
    ),
    "where-operator": (
        "{name} must be a list of values or {{prefix: text}} (got {got} in {value}). `prefix` is"
        " the only operator."
    ),
    "where-prefix": "{name} must have a text as prefix, not empty (got {value}). Write one.",
    "where-empty": (
        "{name} must list at least one value (got {value}). No item would match: add a value, or"
        " remove the attribute."
    ),
    "where-value": (
        "{name} must list texts, numbers of at most 38 digits, true or false (got {value})."
        " DynamoDB compares no other value: write such a value, or use another attribute."
    ),
    "where-date": (
        "{name} must have quotation marks around a date (got {value}). Without them, Pulumi passes"
        " this text instead of what is written: quote the date."
    ),
    "own-name": (
        "{name} must be former names (got {value}, the name itself). Remove it: only the"
        " oldest of several names may be in use again."
    ),
    # Rules across settings.
    "no-effect": (
        "{name} must be left out {condition} (got {value}). It has no effect there: remove it."
    ),
    "minimum": "{name} must be {low} or more with {related} (got {value}). Increase it.",
    "maximum": "{name} must be {high} or less with {related} (got {value}). Decrease it.",
    "conflict": "{name} must be {kind} with {related} (got {value}). Change one of them.",
    "lake-table-setting": (
        "{name} must be set in each of {related} (got {value}). A pipeline with several lake tables"
        " has no such setting: move the setting there, or to the stack's `defaults`."
    ),
    "never-unmatched": (
        "{name} must be left out unless every lake table has `where` (got {value}). A lake table"
        " without `where` has all items: remove one of the settings."
    ),
    "where-key-type": (
        "{name} must list {kind} (got {value}). The attribute is a key of the table, whose type the"
        " values must have: change them."
    ),
    "where-needs-old-images": (
        "{name} must be a key of the table with a stream without old images (got {value}). A change"
        " would not show whether the item matched before: use a key, or a stream of"
        " NEW_AND_OLD_IMAGES."
    ),
    "excludes-changes": (
        "{name} must include {changes} with {related} (got {value}). The current state would keep"
        " items as they were: include these changes, or set the other setting to false."
    ),
    "expires-current-state": (
        "{name} must be left out with {related} (got {value}). An item that does not change for so"
        " long would leave the current state: set the other setting to false, or"
        " `merge.change_log_retention_days` instead."
    ),
    "unknown-role": (
        "{name} must be a role of the pipeline (got {value}). Its roles are {names}: rename the"
        " entry, or remove it."
    ),
    "needs-merge": (
        "{name} must be objects or partitions with {related} (got {value}). There is no merged"
        " table: set `merge.enabled: true`, or another source."
    ),
    "merge-any-value": (
        "{name} must list values with {related} (got {value}). A run reads a few days of each value"
        " that projection lists: list the values, or remove the key."
    ),
    "needs-merged-state": (
        "{name} must be left out with {related} (got {value}). The current state would lack the"
        " items whose rows have expired: set `query.current_state_source: merged`."
    ),
    "merge-needs-columns": (
        "{name} must be false without COLUMNS (got {value}). The merged table has their types: add"
        " COLUMNS to {module}."
    ),
    "same-attribute": "{name} must differ from {related} (got {value}). Name another attribute.",
    "variables-type": (
        "{name} must map names of environment variables to text (got {got}). Write a line"
        " `NAME: value` for each."
    ),
    "variable-name": (
        "{name} must be named by two or more of a-z A-Z 0-9 _, a letter first. Lambda accepts no"
        " other name: rename the variable."
    ),
    "variable-reserved": (
        "{name} must have another name than a variable of Lambda, and no name that begins with"
        " {prefix}. Rename the variable."
    ),
    "variable-value": (
        "{name} must be text (got {got}). Write the value in quotes, or remove the variable."
    ),
    "variable-twice": ("{name} must not also be a name in {related}. Remove one of them."),
    "secret-arn": (
        "{name} must be the ARN of a parameter, arn:aws:ssm:REGION:ACCOUNT:parameter/NAME, or of a"
        " secret, arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX. Store the value there:"
        " the config never contains it."
    ),
    "secret-twice": ("{name} must be the ARN of another secret than {other}. Remove one of them."),
    "secrets-without-transform": (
        "{name} must be left out without `transform`. {module} does not run: remove the setting."
    ),
    "too-large": (
        "{name} must have, with {related} and the variables of the pipeline, at most {most} bytes"
        " as JSON (got {length}). Shorten it, or put the data into a file next to the module."
    ),
    "both-or-none": (
        "{name} must be set together with {related} (got {value}). Set both for {both}, none for"
        " {none}."
    ),
    "workgroup-name-length": (
        "{name} must give a workgroup name of at most {most} characters (got {workgroup}). Shorten"
        " the name of the pipeline or of the stack."
    ),
    "role-name-length": (
        "{name} must give role names of at most {most} characters (got {value}, and {length}"
        " characters in {role}). Shorten it, or the name of the pipeline."
    ),
    "prefix-length": (
        "{name} must give S3 prefixes of at most {most} characters (got {length}). Firehose writes"
        " to no longer ones: shorten glue_table_name, database_name or dynamic_partition_keys."
    ),
    # Rules across the tables of a stack.
    "no-tables": (
        "{name} must name at least one table (got {value}). Write it below `streaming-etl:tables`"
        " in the stack's config, as Pulumi.dev.yaml of the repository does."
    ),
    "table-created-twice": (
        "{name} must be the table of one pipeline (got {value}, which {other} creates). Name"
        " another table, or read it with `source: {{use_existing: true}}` once it exists."
    ),
    "lake-table-shared": (
        "{name} must be the lake table of one pipeline (got {value}, which {other} writes to). Set"
        " another glue_table_name."
    ),
    "lake-table-is-derived": (
        "{name} must differ from the {kind} of {other} in the same database (got {value}). Set"
        " another glue_table_name or database_name."
    ),
    "resource-names-shared": (
        "{name} must differ from the other names in the stack (got {value}, whose resources have"
        " the names of those of {other}). Rename one."
    ),
    "former-name-in-use": (
        "{name} must be names that nothing else has or had (got {value}, of {other}). Rename"
        " the other one: the oldest name is part of names in AWS."
    ),
    "too-many-readers": (
        "{name} must be the table of at most {most} pipelines (got {value}, also of {others})."
        " DynamoDB allows {most} readers per shard of a stream: use `lake_tables` of one pipeline."
    ),
    # Rules of existing resources.
    "other-region": (
        "{name} must be an ARN in {region}, the region of the stack (got {value}). AWS accepts"
        " nothing of another region here: use one in {region}."
    ),
    "stream-of-other-table": (
        "{name} must be the stream of `table_name: {table}` (got {value}). Use the ARN of that"
        " table's stream, or the name of the other table."
    ),
    "stream-disabled": (
        "{name} must be a table with a stream (got {value}, which has none). Enable it with: aws"
        " dynamodb update-table --table-name {plain} --stream-specification"
        " StreamEnabled=true,StreamViewType={view}"
    ),
    "stream-view": (
        "{name} must be a table whose stream includes new images (got {value} with {got}). A view"
        " type cannot be edited: disable the stream, which stops its other readers, then enable it"
        " with: aws dynamodb update-table --table-name {plain} --stream-specification"
        " StreamEnabled=true,StreamViewType={view}"
    ),
    "no-point-in-time-recovery": (
        "{name} must be false for a table without point-in-time recovery (got {value}; {table} has"
        " none). DynamoDB exports a table from its continuous backups. Enable them with: aws"
        " dynamodb update-continuous-backups --table-name {table}"
        " --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
    ),
    "table-of-program": (
        "{name} must be plain text unless `source.stream_arn` is set (got the output of a"
        " resource). A table of the same program cannot be looked up before it exists: set"
        " `source.use_existing: true` and `source.stream_arn`."
    ),
    "stream-without-old-images": (
        "{name} must be on_remove or never with a stream of {got} (got {value}). Remove it, or"
        " give the table a stream of {view}."
    ),
    # Rules of the transform module.
    "module-missing": (
        "{name} must be a Python file with `transform` or COLUMNS (got {value}, which does not"
        " exist below {directory})."
    ),
    "package-without-init": (
        "{name} must be a Python file, or a folder with __init__.py (got {value}). Add __init__.py"
        " with `transform` or COLUMNS."
    ),
    "package-name": (
        "{name} must be a folder with a name that Python can import and Lambda does not have (got"
        " {folder} in {value}). Rename the folder."
    ),
    "module-link": (
        "{name} must have no broken or circular links in the folders that it imports (got {file} of"
        " {value}). Remove the link."
    ),
    "module-syntax": (
        "{name} must be valid Python (got {value}: {reason} in line {line}). Correct the module."
    ),
    "module-without-transform": (
        "{name} must define `transform` at its top level, or COLUMNS and no name like `transform`"
        " (got {value}). Add `def transform(change)` or COLUMNS."
    ),
    "module-async": (
        "{name} must define `transform` as a plain function (got {value}, where it is async)."
        " Remove the async."
    ),
    "module-arguments": (
        "{name} must define `transform` with one argument (got {value}). Write"
        " `def transform(change)`."
    ),
    "module-generator": (
        "{name} must define `transform` without `yield` (got {value}, line {line}). Return a list"
        " of rows."
    ),
    "module-without-return": (
        "{name} must define `transform` with a `return` of rows (got {value}, line {line}). Add"
        " `return` and the row."
    ),
    "module-imports": (
        "{name} must import only packages of its function, and modules in its own folder (got"
        " {imports} in line {line} of {plain}). Add a package to the lock file"
        " `transform.requirements`; correct the name of your own module."
    ),
    "module-ambiguous": (
        "{name} must import no file or folder with the name of a package, of the standard library"
        " or of boto3 (got {imports} in line {line} of {plain}). Rename the file or folder."
    ),
    "code-too-large": (
        "{name} must have, with its packages, at most {limit} bytes {kind} (got {size}, and"
        " {packages} of packages). Remove files: the largest are {largest}."
    ),
    "columns-not-literal": (
        "{name} must define COLUMNS as a literal dict, and not change it (got {value}). COLUMNS is"
        ' read without running the module: write for example {{"id": "string"}}.'
    ),
    "columns-empty": "{name} must name columns in COLUMNS (got {value}). Remove COLUMNS otherwise.",
    "column-twice": (
        "{name} must name column {column} once in COLUMNS (got {value}). Rename the others."
    ),
    "column-name": (
        "{name} must name columns with at most 255 of a-z 0-9 _, no digit first (got {column} in"
        " {value}). Use lower case."
    ),
    "column-reserved": (
        "{name} must not name column {column} (got {value}). Names that begin with _ are reserved"
        " for metadata: rename the column."
    ),
    "column-type": (
        "{name} must give column {column} an Athena type (got {type} in {value}: {reason}). Use"
        " {allowed}."
    ),
    "field-ids-not-literal": (
        "{name} must define FIELD_IDS as a literal dict, and not change it (got {value}). FIELD_IDS"
        ' is read without running the module: write for example {{"id": 100}}.'
    ),
    "field-ids-without-columns": (
        "{name} must define COLUMNS with FIELD_IDS (got {value}). Add COLUMNS, or remove FIELD_IDS."
    ),
    "field-id-path": (
        "{name} must name fields in FIELD_IDS by their path (got {entry} in {value}). Write for"
        " example total, lines.element.sku or labels.value."
    ),
    "field-id-path-twice": (
        "{name} must name {entry} once in FIELD_IDS (got {value}). Remove the entries that the"
        " merged table does not have."
    ),
    "field-id-without-column": (
        "{name} must give the column of {entry} an id in FIELD_IDS (got {value}). The ids of its"
        " fields follow from it: add the column."
    ),
    "field-id-number": (
        "{name} must give {entry} an id of {least} to {most} in FIELD_IDS (got {got} in {value})."
        " Use the id that the merged table has, or remove the entry of a new field."
    ),
    "field-id-twice": (
        "{name} must use id {id} once in FIELD_IDS (got {paths} in {value}). Give a new field an id"
        " that no field ever had."
    ),
    "column-keys": (
        "{name} must describe column {column} by {allowed} only (got {keys} in {value}). Write for"
        ' example {{"type": "string", "path": "address.city"}}.'
    ),
    "column-source": (
        "{name} must leave out {keys} of column {column} with a `transform` (got {value}), which"
        " returns the values. Remove them, or remove `transform`."
    ),
    "column-path": (
        "{name} must give column {column} a path of names and indexes (got {got} in {value})."
        ' Write for example "lines[0].sku", or a list such as ["lines", 0, "sku"] for names that'
        " contain . or brackets."
    ),
    "column-unit": (
        "{name} must give column {column} one of the units {choices} (got {unit} in {value}). Use"
        " the one in which the attribute counts from 1970."
    ),
    "column-unit-type": (
        "{name} must leave out the unit of column {column} unless its type is one of {choices} (got"
        " {type} in {value}). Remove the unit."
    ),
    # Rules of settings and transform module together.
    "needs-columns": (
        "{name} must be json with `catalog: crawler` without COLUMNS (got {value}). Add COLUMNS to"
        " {module}."
    ),
    "catalog-needs-columns": (
        "{name} must be crawler without COLUMNS (got {value}). The Glue table is created before"
        " the data: add COLUMNS to {module}."
    ),
    "column-is-partition-key": (
        "{name} must not name column {column} (got {value}), which is also a partition key. Remove"
        " it from COLUMNS, or rename it: the key's value stays that of the row or of the attribute."
    ),
    "partition-key-type": (
        '{name} must give column {column} the type "string" (got {type} in {value}), because it is'
        " a partition key. Change the type."
    ),
    "requirements-without-transform": (
        "{name} must be left out without `transform` (got {value}). {module} does not run: remove"
        " the setting."
    ),
    "nested-column": (
        "{name} must not give column {column} a nested type with `format: csv` (got {value}). Use"
        ' "string", which is written as JSON text, or another format.'
    ),
    # Rules of the packages in the functions' archives.
    "lock-missing": (
        "{name} must be a lock file (got {value}, which does not exist below {directory}). Write it"
        " with `uv pip compile --universal --generate-hashes`."
    ),
    "lock-encoding": (
        "{name} must be UTF-8 text (got {value}: {reason}). Write it with"
        " `uv pip compile --universal --generate-hashes`."
    ),
    "lock-empty": "{name} must pin at least one package (got {value}). Remove the setting.",
    "lock-unpinned": (
        "{name} must hold nothing but packages, each with == and --hash (got {entries} in {value})."
        " Write it with `uv pip compile --universal --generate-hashes`."
    ),
    "packages-not-installable": (
        "{name} must be installable for {target} (got {value}; uv reports: {reason}). Use versions"
        " with a wheel, lock the file again, or fix uv's configuration."
    ),
    "packages-conflict": (
        "{name} must not pin packages with different files of one name (got {file} of {packages} in"
        " {value}). Remove one of them."
    ),
    "package-reserved-file": (
        "{name} must not pin a package with a file of a reserved name (got {file} of {package} in"
        " {value}). Remove the package."
    ),
    "packages-too-large": (
        "{name} must have at most {limit} bytes {kind} for {target} (got {size} in {value}). Remove"
        " packages: the largest are {largest}."
    ),
    "not-writable": "{name} must be writable (got {value}: {reason}). Change its permissions.",
}


def render(problem: "Problem") -> str:
    """The message of a problem, which begins with the problem's path."""
    name = problem.field if problem.item is None else f"{problem.field}[{problem.item!r}]"
    related = " and ".join(
        _setting(other.name, other.value) + (f" of {other.path}" if other.path else "")
        for other in problem.related
    )
    # A rule about a setting that is missing applies without it.
    missing = problem.related and all(other.value is None for other in problem.related)
    details = {key: _detail(value) for key, value in problem.details.items()}
    sentence = MESSAGES[problem.rule].format(
        name=f"`{name}`",
        value=value_text(problem.value),
        plain=problem.value,
        item=repr(problem.item),
        related=related,
        condition=f"without {related}" if missing else f"with {related}",
        **details,
    )
    return f"{_place(problem)}{sentence}"


def _place(problem: "Problem") -> str:
    """Path of the value, and the other pipelines with the same problem."""
    others = [
        pipeline
        for pipeline in problem.pipelines
        if not f"{problem.path}.".startswith(f"{pipeline}.")
    ]
    more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
    also = f" ({others[0]}{more})" if others else ""
    return f"{problem.path}{also}: " if problem.path else ""


def value_text(value: object) -> str:
    """A value as Python writes it, at most 200 characters of it.

    An output has no value before the update.
    """
    if isinstance(value, pulumi.Output):
        return "an output"
    if isinstance(value, (list, tuple)) and any(isinstance(each, pulumi.Output) for each in value):
        text = f"[{', '.join(map(value_text, value))}]"
    elif isinstance(value, Mapping):
        entries = [f"{name!r}: {value_text(each)}" for name, each in value.items()]
        text = f"{{{', '.join(entries)}}}"
    else:
        text = repr(value)
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[:MAX_VALUE_LENGTH]}..."


def _setting(name: str, value: object) -> str:
    """A setting as in the config, without an unknown value."""
    if isinstance(value, bool):
        return f"`{name}: {str(value).lower()}`"
    return f"`{name}: {value}`" if isinstance(value, (str, int, float)) else f"`{name}`"


def _detail(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ", ".join(str(part) for part in value)
    # Years have four digits: only longer numbers get separators.
    if isinstance(value, (int, float)) and value >= 10_000:
        return f"{value:,}"
    return str(value)
