"""The commands of this repository: parsed by themselves, and run where that asks no AWS."""

import argparse
import contextlib
import importlib.util
import io
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Optional
from unittest import mock

import click
from click.testing import CliRunner
from pip._internal.commands import commands_dict, create_command

from streaming_etl.ops.__main__ import commands
from streaming_etl.stack.outputs import ROOT, read_config
from tests.docs.blocks import DocError
from tests.docs.shell import Words
from tests.docs.shell import commands as shell_commands
from tools.graph.__main__ import command as graph_command

# The pages' stack is called prod. The one that is here stands in for it.
READERS_STACK, STACK_HERE = "prod", "dev"
# Of `streaming-etl`: these answer without AWS.
ANSWERS_HERE = {"cost", "transform-test"}
# They read their arguments with argparse; all others take none.
ARGPARSE = {"bench", "local", "tests.simulation"}


def python(words: Words, mention: bool) -> None:
    """`python -m <module>` and its arguments, or `python -c <code>`.

    mention: the command is named between backticks, so what it must be given may be left out.
    """
    if words[:1] == ["-c"] and len(words) == 2:
        with contextlib.chdir(ROOT), contextlib.redirect_stdout(io.StringIO()):
            exec(words[1], {})
        return
    if words[:1] != ["-m"] or len(words) < 2:
        raise DocError("only `python -m <module>` and `python -c <code>` are known")
    module, arguments = words[1], words[2:]
    if importlib.util.find_spec(module) is None:
        raise DocError(f"there is no module {module}")
    if module == "venv":
        if len(arguments) != 1 or arguments[0].startswith("-"):
            raise DocError("python -m venv takes a folder here, and no options")
    elif module == "ops":
        operate(arguments, mention)
    elif module == "graph":
        answer(graph_command, arguments)
    elif module in ARGPARSE:
        parse(module, arguments, mention)
    elif arguments:
        raise DocError(f"{module} takes no arguments; if it does now, add it to ARGPARSE")
    else:
        source = Path(importlib.util.find_spec(module).origin or "").read_text()  # type: ignore[union-attr]
        if '__name__ == "__main__"' not in source:
            raise DocError(f"{module} does nothing when it is run")


def pip(words: Words, _mention: bool) -> None:
    """A command of pip, parsed by pip; the files that it reads are there."""
    name, *given = words
    if name not in commands_dict:
        raise DocError(f"pip has no {name}")
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            options, _ = create_command(name).parse_args(given)
        except SystemExit:
            raise DocError(said.getvalue().strip().rpartition("\n")[2]) from None
    for file in options.requirements:
        if not (ROOT / file).is_file():
            raise DocError(f"there is no {file}")


def operate(arguments: Words, mention: bool) -> str:
    """A command of the operator; what it prints, if it answers without AWS."""
    if not arguments or arguments == ["--help"]:
        return ""
    name, *given = arguments
    command = commands.commands.get(name)
    if command is None:
        raise DocError(f"streaming-etl has no {name}; it has {', '.join(commands.commands)}")
    try:
        context = command.make_context(name, list(given))
    except click.exceptions.Exit:
        return ""
    except click.MissingParameter:
        if mention:
            return ""
        raise
    allowed = {"stack": [READERS_STACK, STACK_HERE, None], "pipeline": tables()}
    for parameter in allowed.keys() & context.params.keys():
        if context.params[parameter] not in allowed[parameter]:
            raise DocError(
                f"{parameter}={context.params[parameter]!r} is none of {allowed[parameter]}"
            )
    if name not in ANSWERS_HERE:
        return ""
    return answer(commands, arguments)


def answer(command: click.Command, arguments: Words) -> str:
    """What a command prints that asks no AWS."""
    here = [STACK_HERE if word == READERS_STACK else word for word in arguments]
    result = CliRunner().invoke(command, here)
    if result.exit_code:
        raise DocError(f"exit code {result.exit_code}: {result.output}") from result.exception
    return result.output


def tables() -> list[Optional[str]]:
    return list(read_config(ROOT, STACK_HERE).pipelines)


class ParsedError(Exception):
    """The arguments are read, and the program is not to go on."""


def parse(module: str, arguments: Words, mention: bool) -> None:
    """Run a program up to where it has read its arguments."""
    read: Callable[..., Any] = argparse.ArgumentParser.parse_args

    def stop(self: argparse.ArgumentParser) -> NoReturn:
        read(self)
        raise ParsedError

    def refuse(_: argparse.ArgumentParser, message: str) -> NoReturn:
        if mention and message.startswith("the following arguments are required"):
            raise ParsedError
        raise DocError(f"python -m {module}: {message}")

    with (
        mock.patch.object(sys, "argv", [module, *arguments]),
        mock.patch.object(argparse.ArgumentParser, "parse_args", stop),
        mock.patch.object(argparse.ArgumentParser, "error", refuse),
    ):
        try:
            runpy.run_module(module, run_name="__main__")
        except ParsedError:
            return
    raise DocError(f"python -m {module} reads no arguments")


def make(words: Words, mention: bool) -> None:
    """`make -n`: the target is there, and the programs that it would run take their arguments."""
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise DocError(done.stderr.strip())
    for line in done.stdout.splitlines():
        if line.startswith(".venv/bin/python -m "):
            for command in shell_commands(line):
                python(command[1:], mention)


def uv(words: Words, _: bool) -> None:
    """uv reads all that stands before --help, and refuses what it does not know."""
    program = Path(sys.executable).parent / "uv"
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True)
    if done.returncode:
        raise DocError(done.stderr.strip())


def git(words: Words, _: bool) -> None:
    """The command is one of git's own; its options are not looked at."""
    known = subprocess.run(["git", "--list-cmds=main"], capture_output=True, text=True, check=True)
    if words[:1] == [] or words[0] not in known.stdout.split():
        raise DocError(f"git has no command {' '.join(words[:1])!r}")
