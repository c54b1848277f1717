"""What a page may get wrong is found, and told with its place and its reason."""

import pytest

from tests.docs import python_blocks
from tests.docs.blocks import Block, blocks_of
from tests.docs.runners import fault
from tests.docs.text_blocks import masked


def told(language: str, text: str, *, inline: bool = False) -> str:
    """What is said of a block in line 7 of a page."""
    return fault(Block("docs/page.md", 7, language, text, inline=inline)) or "nothing"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("make nothing-such", "No rule to make target"),
        ("make bench ARGS=--nothing-such", "unrecognized arguments: --nothing-such"),
        ("python -m venv --nope there", "python -m venv takes a folder here"),
        (".venv/bin/pip install --nope", "no such option: --nope"),
        ("policy/.venv/bin/pip fetch it", "pip has no fetch"),
        ("pip install -r nowhere.txt", "there is no nowhere.txt"),
        ("python -m nothing_such", "there is no module nothing_such"),
        ("streaming-etl nothing-such", "streaming-etl has no nothing-such; it has replay, "),
        ("streaming-etl replay orders --stack prod --nope", "No such option '--nope'"),
        ("streaming-etl replay orders", "Missing option '--stack'"),
        ("streaming-etl replay nobody --stack prod", "pipeline='nobody' is none of"),
        ("streaming-etl replay orders --stack other", "stack='other' is none of"),
        ("streaming-etl cost --set forwarder.nope=1", "exit code "),
        ("make graph STACK=other", "There is no Pulumi.other.yaml"),
        ("python -m tools.graph prod --picture nobody", "There is no pipeline nobody"),
        ("python -m local query", "the following arguments are required: question"),
        (
            "python -m tools.docs.settings_tables --all",
            "tools.docs.settings_tables takes no arguments",
        ),
        (
            "python -m streaming_etl.ops.cost.number_format",
            "streaming_etl.ops.cost.number_format does nothing when it is run",
        ),
        ("python setup.py", "only `python -m <module>` and `python -c <code>` are known"),
        ("python -c 'import nothing_such'", "No module named 'nothing_such'"),
        ("make transform-test TRANSFORM=transforms/nobody.py", "nobody.py"),
        ("streaming-etl transform-test orders --set format=xml", "format='xml'"),
        ("aws nosuch list-things", "AWS has no service of that name"),
        ("aws lambda get-event-source-maping --uuid U", "the service has no such operation"),
        ("aws lambda get-event-source-mapping", "needs --uuid"),
        ("aws lambda get-event-source-mapping --uid U", "has no --uid; it has uuid"),
        ("aws lambda update-event-source-mapping --uuid U --enabled yes", "takes no value"),
        ("aws lambda update-event-source-mapping --uuid U --batch-size ten", "takes a number"),
        ("aws dynamodb create-table --table-name T --billing-mode FREE", "is none of PROVISIONED"),
        ("aws dynamodb wait table-is-there --table-name T", "waits for none of"),
        ("aws dynamodb get-item --table-name T --key '{\"id\": 5}'", "Invalid type for parameter"),
        ("aws dynamodb update-table --table-name T --stream-specification Nope=1", "no shorthand"),
        ("aws logs tail GROUP --sinze 1h", "`aws logs tail` has no --sinze"),
        ("aws s3 mv s3://BUCKET/a", "takes 2 words before its options"),
        ("aws sts get-caller-identity --query 'Account['", "Invalid jmespath expression"),
        ("pulumi upp", "`pulumi upp` is not in tests/docs/pulumi_cli.py"),
        ("pulumi up --refesh", "`pulumi up` has no --refesh"),
        ("pulumi up --stack", "--stack of `pulumi up` needs a value"),
        ("pulumi destroy dev", "`pulumi destroy` takes 0 words, not 1"),
        ("pulumi install --cwd", "--cwd of `pulumi install` needs a value"),
        ("pulumi package ad ./package", "`pulumi package ad` is not in tests/docs/pulumi_cli.py"),
        ("uv pip compile --nothing-such a.in", "unexpected argument '--nothing-such'"),
        ("git nothing-such", "git has no command 'nothing-such'"),
        ("nothing-such --help", "nothing is known of the command 'nothing-such'"),
        ('echo "$ARN"', "$ARN is set nowhere above it"),
        ("echo $(aws nosuch list-things)", "AWS has no service of that name"),
        ("echo <name>", "<name> redirects when it is typed"),
        ("echo 'open", "no shell takes it: No closing quotation"),
        ("for i in 1 2; do echo; done", "nothing is known of the command 'for'"),
        ("(echo a)", "'(' is not understood"),
    ],
)
def test_a_command_that_would_fail_is_found(line: str, reason: str) -> None:
    assert told("sh", f"echo begin # it's a comment\n{line}").startswith("docs/page.md:7: ")
    assert reason in told("sh", f"echo begin # it's a comment\n{line}")


@pytest.mark.parametrize(
    "text",
    [
        "make check && make bench ARGS=--quick | cat > figures.txt",
        "ARN=$(aws sts get-caller-identity --query Arn --output text)\necho \"$ARN\" '$UNSET'",
        "aws s3 ls s3://BUCKET/errors/ --recursive   # what's there",
        "aws dynamodb wait table-exists \\\n  --table-name orders --region eu-west-1",
        'aws dynamodb put-item --table-name T --item \'{"id": {"S": "a"}}\'',
        "aws lambda invoke --function-name F answer.json",
        "aws lambda update-event-source-mapping --uuid UUID --no-enabled",
        "streaming-etl replay orders --stack dev --from errors",
        "streaming-etl --help",
        "pulumi up --stack=prod --yes",
        "export BACKEND=s3://BUCKET\npulumi config set aws:region REGION --cwd policy",
        "python -c 'print(1)'",
        "streaming-etl transform-test orders --json",
    ],
)
def test_a_command_that_is_right_is_let_through(text: str) -> None:
    assert told("sh", text) == "nothing"


def test_a_command_that_is_only_named_may_lack_what_it_must_be_given() -> None:
    assert told("sh", "streaming-etl backfill --export", inline=True) == "nothing"
    assert "No such option" in told("sh", "streaming-etl backfill --exprot", inline=True)
    assert told("sh", "aws dynamodb scan", inline=True) == "nothing"
    assert "has no --limits" in told("sh", "aws dynamodb scan --limits 5", inline=True)


@pytest.mark.parametrize(
    ("language", "text", "reason"),
    [
        ("", "make demo", "its language is ''; there are runners for json, "),
        ("python", "x = 1\nassert x == 2", "AssertionError"),
        ("python", "import nothing_such", "ModuleNotFoundError"),
        ("python", "def test_it():\n    raise ValueError('no')", "ValueError: no"),
        (
            "python",
            "def transform(change):\n    return change.new['x']",
            "KeyError at transform_mo",
        ),
        ("python", "COLUMNS = {'id': 'text'}\n\n\ndef transform(change): ...", "use string"),
        (
            "python",
            "from components import StreamingEtlPipeline\nStreamingEtlPipeline('orders', None)",
            "is no settings",
        ),
        ("yaml", "forwarder: {batch_sise: 5}", "batch_sise"),
        ("yaml", "lake: {data_retention_days: -1}", "data_retention_days=-1"),
        ("yaml", "config: {streaming-etl:tables: {}}", "name at least one below `tables`"),
        ("yaml", "- a list", "is no map"),
        ("yaml", "on: push\njobs: {test: {runs-on: ubuntu-latest}}", '"steps" section is missing'),
        ("yaml", "resources: {a: {type: b}}", "must be a part of a file below examples/"),
        ("json", "{", "no JSON"),
        ("json", "{}", "no IAM policy, settings of the policy pack or list of sample changes"),
        ("json", '{"bucket-closed": "advice"}', "bucket-closed='advice' is none of advisory, "),
        ("json", '{"production-data-kept": {"stack": []}}', "has no setting stack"),
        ("json", '{"bucket-shut": "advisory"}', "no IAM policy, settings of the policy pack"),
        ("json", '[{"id": {"S": 1}}]', "docs/page.md, line 1"),
        (
            "json",
            '{"Version": "2012-10-17", "Statement":'
            ' [{"Effect": "Allow", "Action": "s3:GetObjects", "Resource": "*"}]}',
            "AWS has no action s3:GetObjects",
        ),
        ("sql", "SELECT nothing_such FROM orders_prod.orders", "nothing_such"),
        ("text", "something printed", "nothing is known to print it"),
        (
            "text",
            "tables.orders.forwarder: parallelization_factor=12 is too much.",
            "the program says: tables.orders.forwarder: parallelization_factor=12 is out of range",
        ),
        ("mermaid", "graph TD", "between the marks of what the code writes anew"),
        ("typescript", "nothing such", "must be a part of a file below examples/"),
        ("typescript", "export const view = orders.view;\nimport * as streaming", "examples/"),
        ("typescript", "    partitions: {", "a bracket is opened and not closed"),
    ],
)
def test_a_block_that_is_wrong_is_found(language: str, text: str, reason: str) -> None:
    assert reason in told(language, text)
    assert told(language, text).startswith("docs/page.md:7: ")


def test_the_error_of_a_python_block_names_the_page_s_own_line() -> None:
    block = Block("docs/page.md", 7, "python", "first = 1\n1 / 0\n")
    with pytest.raises(ZeroDivisionError) as raised:
        python_blocks.run(block)
    last = raised.traceback[-1]
    assert (str(last.path).rpartition("/")[2], last.lineno + 1) == ("page.md", 9)


PAGE = """# A page

Run `make demo`, mind `pulumi`.

- In a list:
  ```sh
  make test
  ```

<!-- figures -->
```text
1
```
<!-- end of figures -->

    indented
"""


def test_blocks_are_found_in_lists_between_marks_and_indented() -> None:
    assert blocks_of("page.md", PAGE) == [
        Block("page.md", 3, "sh", "make demo", inline=True),
        Block("page.md", 6, "sh", "make test\n"),
        Block("page.md", 11, "text", "1\n", generated=True),
        Block("page.md", 16, "", "indented\n"),
    ]


def test_the_demo_s_output_is_compared_but_for_its_numbers_its_ids_and_more_folders() -> None:
    shown = "✓ Wrote 1.3 s 448 changes\ns3://lake-bucket-064f87a/\nday=24  2  11,246\nit is so"
    other = "✓ Wrote  12 s 4 changes\ns3://lake-bucket-abcdefa/\nday=1  1  9\nday=2  3  7\nit is so"
    assert masked(shown) == masked(other)
    assert masked(shown) != masked(shown.replace("changes", "writes"))
    assert masked(shown) != masked(shown.replace("it is so", ""))
