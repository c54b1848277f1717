"""Parsing of column types, and their form in Glue and Athena."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_etl.components.table.column_types import (
    SCALARS,
    ColumnType,
    ColumnTypeError,
    athena_type,
    glue_type,
    is_nested,
    parse_type,
)

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True)
DECIMALS = st.integers(1, 38).flatmap(
    lambda precision: st.integers(0, precision).map(lambda scale: {"decimal": [precision, scale]})
)


def nested(types: st.SearchStrategy[ColumnType]) -> st.SearchStrategy[ColumnType]:
    fields = st.lists(st.tuples(NAMES, types).map(list), min_size=1, max_size=3)
    return st.one_of(
        types.map(lambda item: {"array": item}),
        types.map(lambda item: {"map": ["string", item]}),
        fields.filter(lambda pairs: len({name for name, _ in pairs}) == len(pairs)).map(
            lambda pairs: {"struct": pairs}
        ),
    )


TYPES = st.recursive(st.sampled_from(sorted(SCALARS)) | DECIMALS, nested, max_leaves=8)
DETERMINISTIC = settings(derandomize=True, database=None, deadline=None)


@DETERMINISTIC
@given(TYPES)
def test_glues_form_of_a_type_parses_to_the_same_type(column_type: ColumnType) -> None:
    assert parse_type(glue_type(column_type)) == column_type


@DETERMINISTIC
@given(TYPES, st.data())
def test_blanks_between_the_parts_of_a_type_have_no_effect(
    column_type: ColumnType, data: st.DataObject
) -> None:
    blanks = st.sampled_from(["", " ", "\n  "])
    text = "".join(
        f"{data.draw(blanks)}{part}{data.draw(blanks)}" if part in "<>(),:" else part
        for part in glue_type(column_type)
    )
    assert parse_type(text) == column_type


@DETERMINISTIC
@given(st.text(alphabet="abcdeimnrstuy<>(),:_ 0123456789", max_size=30))
def test_any_text_is_parsed_or_rejected(text: str) -> None:
    try:
        parsed = parse_type(text)
    except ColumnTypeError:
        return
    assert parse_type(glue_type(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "parsed", "athena"),
    [
        *((name, name, athena) for name, athena in SCALARS.items()),
        ("decimal(38,38)", {"decimal": [38, 38]}, "decimal(38,38)"),
        ("decimal(5)", {"decimal": [5, 0]}, "decimal(5,0)"),
        ("array<int>", {"array": "int"}, "array(integer)"),
        ("map<string,float>", {"map": ["string", "float"]}, "map(varchar, real)"),
        (
            "struct<sku:string,sizes:array<decimal(4,1)>>",
            {"struct": [["sku", "string"], ["sizes", {"array": {"decimal": [4, 1]}}]]},
            'row("sku" varchar, "sizes" array(decimal(4,1)))',
        ),
    ],
)
def test_parses_a_type_and_writes_it_for_athena(text: str, parsed: ColumnType, athena: str) -> None:
    assert parse_type(text) == parsed
    assert athena_type(parsed) == athena
    assert is_nested(parsed) == any(text.startswith(kind) for kind in ("array", "map", "struct"))


@pytest.mark.parametrize(
    ("text", "rule", "details"),
    [
        ("", "missing-type", {}),
        ("varchar", "other-name", {"text": "varchar", "use": "string"}),
        ("integer", "other-name", {"text": "integer", "use": "bigint"}),
        ("bool", "other-name", {"text": "bool", "use": "boolean"}),
        ("real", "other-name", {"text": "real", "use": "float"}),
        ("datetime", "other-name", {"text": "datetime", "use": "timestamp"}),
        ("decimal", "other-name", {"text": "decimal", "use": "decimal(38,0)"}),
        ("uuid", "unknown-type", {"text": "uuid"}),
        ("String", "unknown-character", {"text": "S"}),
        ("int;", "unknown-character", {"text": ";"}),
        ("int int", "trailing-text", {"text": "int"}),
        ("array<int>>", "trailing-text", {"text": ">"}),
        ("array", "missing-text", {"text": "<"}),
        ("array<>", "unknown-type", {"text": ">"}),
        ("array<int", "missing-text", {"text": ">"}),
        ("map<int,int>", "map-key", {}),
        ("map<string>", "missing-text", {"text": ","}),
        ("struct<>", "field-name", {"text": ">"}),
        ("struct<a>", "missing-text", {"text": ":"}),
        ("struct<a:int,a:int>", "field-twice", {"text": "a"}),
        ("struct<1a:int>", "field-name", {"text": "1"}),
        ("decimal()", "decimal-number", {}),
        ("decimal(10,)", "decimal-number", {}),
        ("decimal(10,2", "missing-text", {"text": ")"}),
        ("decimal(0)", "decimal-digits", {}),
        ("decimal(39)", "decimal-digits", {}),
        ("decimal(5,6)", "decimal-digits", {}),
    ],
)
def test_rejects_other_texts(text: str, rule: str, details: dict[str, str]) -> None:
    with pytest.raises(ColumnTypeError) as error:
        parse_type(text)
    assert (error.value.rule, error.value.details) == (rule, details)
