"""What may be asked of tags: those that AWS takes of every resource."""

from collections.abc import Mapping

from streaming_etl.components.settings.validation import refuse

# Of every resource, of which one tag is ours.
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
MAX_TAGS, MAX_TAG_KEY, MAX_TAG_VALUE = 49, 128, 256


def check_tags(tags: object) -> None:
    """Refuse tags that AWS refuses of one resource or another."""
    if not isinstance(tags, Mapping):
        raise refuse("tags", tags, "is no map; write it as name: value pairs.")
    if len(tags) > MAX_TAGS:
        raise refuse(
            "tags", len(tags), f"are too many: AWS takes {MAX_TAGS} beside ours; drop some."
        )
    seen: dict[str, str] = {}
    for key, value in tags.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise refuse(
                f"tags[{key!r}]", value, "is no text: tags are text to text; put it in quotes."
            )
        if not 1 <= len(key) <= MAX_TAG_KEY or len(value) > MAX_TAG_VALUE:
            raise refuse(
                f"tags[{key!r}]",
                value,
                f"does not fit: AWS takes 1 to {MAX_TAG_KEY} characters for a key and"
                f" {MAX_TAG_VALUE} for a value; shorten it.",
            )
        if key.lower().startswith(("aws:", "streaming-etl:")):
            raise refuse(
                f"tags[{key!r}]", value, "is reserved: AWS and this project use it; rename it."
            )
        if (first := seen.setdefault(key.lower(), key)) != key:
            raise refuse(
                f"tags[{key!r}]",
                value,
                f"differs from {first!r} in case only, which IAM takes for the same; drop one.",
            )
