"""The command `initium`: finds the verb, and turns our errors into messages and exit codes."""

from __future__ import annotations

import difflib
import errno
from importlib import import_module
from importlib.metadata import version
from typing import IO, Any

import click

from initium.errors import InitiumError, OutputError, UsageError, UsageTypeError

VERBS = {
    "quickstart": "A net that cannot train, its diagnosis and its cure.",
    "diagnose": "Say whether a model's starting weights are sound.",
    "plan": "Decide what every parameter should start as, and why.",
    "apply": "Write the weights of a plan to a safetensors file.",
    "compare": "Train from several inits and say which is best.",
    "tune": "Search for a better start and prove it, or say that there is none.",
    "report": "Show what a study says so far.",
    "recommend": "Advise on a start, by theory, diagnosis and recorded runs.",
    "methods": "List the initialization methods.",
    "explain": "Explain one method, in English or Chinese.",
}
"""Verb -> its line in `initium --help`; the verb itself is imported from `initium.cli.VERB` when it runs."""

EXIT_CODES = """\b
Exit codes: 0 all well; 1 the model is not (--fail-on), or the work failed;
2 the command cannot be understood."""


class Verbs(click.Group):
    """A group that imports a verb only when it is called, so that help costs nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which one uses them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, imported."""
        if cmd_name not in VERBS:
            return None
        command = import_module(f"initium.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click, but an unknown verb is met with the nearest known ones."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, n=2, cutoff=0.5)
            raise UsageError(
                f"unknown verb {args[0]!r}",
                expected=f"one of {', '.join(VERBS)}",
                remedy=f"did you mean {' or '.join(near)}?" if near else "see `initium --help`",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with their lines, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the verb; an error of ours becomes a message."""
        try:
            return super().invoke(ctx)
        except InitiumError as error:
            raise Told(error) from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            full = OutputError(
                f"the output cannot be written ({error.strerror})",
                expected="room on the disk that it goes to",
                remedy="free some space and give the same command again",
            )
            raise Told(full) from error


class Told(click.ClickException):
    """An error of ours on its way to the terminal."""

    def __init__(self, error: InitiumError) -> None:
        from initium.report.format import clean

        super().__init__(clean(str(error)))
        self.usage = isinstance(error, UsageError | UsageTypeError)

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click reads it from the instance
        """2 for a command that cannot be understood, 1 for work that failed."""
        return 2 if self.usage else 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the three parts to standard error."""
        click.secho("Error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(self.message, err=True)


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(version("initium"), prog_name="initium")
def main() -> None:
    """Starting weights for PyTorch networks: look, decide, do.

    \b
        initium diagnose timm:resnet18
        initium plan net.py:make_net --input 3x64x64 -o plan.json
        initium apply net.py:make_net --plan plan.json -o weights.safetensors
    """
