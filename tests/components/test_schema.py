"""Column types: read, told again, and refused in words that say what to write instead."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_etl import SettingsError
from streaming_etl.components.table.column_types import (
    SCALARS,
    ColumnType,
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
ALWAYS_THE_SAME = settings(derandomize=True, database=None, deadline=None)


@ALWAYS_THE_SAME
@given(TYPES)
def test_a_type_that_is_told_in_glues_terms_reads_the_same(column_type: ColumnType) -> None:
    assert parse_type(glue_type(column_type)) == column_type


@ALWAYS_THE_SAME
@given(TYPES, st.data())
def test_blanks_between_the_parts_of_a_type_do_not_matter(
    column_type: ColumnType, data: st.DataObject
) -> None:
    blanks = st.sampled_from(["", " ", "\n  "])
    text = "".join(
        f"{data.draw(blanks)}{part}{data.draw(blanks)}" if part in "<>(),:" else part
        for part in glue_type(column_type)
    )
    assert parse_type(text) == column_type


@ALWAYS_THE_SAME
@given(st.text(alphabet="abcdeimnrstuy<>(),:_ 0123456789", max_size=30))
def test_whatever_stands_for_a_type_is_read_or_refused(text: str) -> None:
    try:
        parsed = parse_type(text)
    except SettingsError:
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
def test_a_type_is_read_and_told_in_athenas_terms(
    text: str, parsed: ColumnType, athena: str
) -> None:
    assert parse_type(text) == parsed
    assert athena_type(parsed) == athena
    assert is_nested(parsed) == any(text.startswith(kind) for kind in ("array", "map", "struct"))


ALLOWED = (
    "use string, boolean, tinyint, smallint, int, bigint, float, double, date, timestamp,"
    " decimal(p,s), array<t>, map<k,v> or struct<name:t,...>."
)
DIGITS = "a decimal has 1 to 38 digits, of which at most all are decimal places"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a type is missing"),
        ("varchar", "'varchar' is unknown; use string"),
        ("integer", "'integer' is unknown; use bigint"),
        ("bool", "'bool' is unknown; use boolean"),
        ("real", "'real' is unknown; use float"),
        ("datetime", "'datetime' is unknown; use timestamp"),
        ("decimal", "'decimal' is unknown; use decimal(38,0)"),
        ("binary", "'binary' is unknown; use string (bytes are written as base64)"),
        ("json", "'json' is unknown; use string (written as JSON text)"),
        ("uuid", "'uuid' is unknown"),
        ("String", "'S' is not understood; types are lower case"),
        ("int;", "';' is not understood; types are lower case"),
        ("int int", "'int' is left over"),
        ("array<int>>", "'>' is left over"),
        ("array", "'<' is missing"),
        ("array<>", "'>' is unknown"),
        ("array<int", "'>' is missing"),
        ("map<int,int>", "the keys of a map are string: DynamoDB has no others"),
        ("map<string>", "',' is missing"),
        ("struct<>", "'>' is no field name"),
        ("struct<a>", "':' is missing"),
        ("struct<a:int,a:int>", "field 'a' stands twice"),
        ("struct<1a:int>", "'1' is no field name"),
        ("decimal()", "decimal(p,s) needs numbers"),
        ("decimal(10,)", "decimal(p,s) needs numbers"),
        ("decimal(10,2", "')' is missing"),
        ("decimal(0)", DIGITS),
        ("decimal(39)", DIGITS),
        ("decimal(5,6)", DIGITS),
    ],
)
def test_what_is_no_type_is_refused(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_type(text)
    assert str(refused.value) == f"is no column type ({problem}); {ALLOWED}"
