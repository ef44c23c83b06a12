"""Errors in how a command was called, and options whose value is optional."""

import pytest
import typer

from chatctl.compat.typer_usage import UsageError, unknown_option, usage_message, with_default_value


def run(arguments, **option):
    """Run a command with an argument and an option --every. Returns the option's value."""
    app = typer.Typer()

    @app.command()
    def command(name: str, every: str = typer.Option("none", "--every", "-e", **option)):
        return every

    return app(args=arguments, standalone_mode=False)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((), "name"), (("x", "--unknown"), "--unknown"), (("x", "y"), "y"), (("x", "--every"), "--every")],
)
def test_each_usage_error_is_caught_and_its_text_names_the_argument(arguments, named):
    with pytest.raises(UsageError) as caught:
        run(list(arguments))
    assert named in usage_message(caught.value)


@pytest.mark.parametrize(
    ("arguments", "option"), [(["x", "--unknown"], "--unknown"), (["x", "-u"], "-u"), (["x", "--every"], ""), ([], "")]
)
def test_an_unknown_option_is_known_from_its_error(arguments, option):
    with pytest.raises(UsageError) as caught:
        run(arguments)
    assert unknown_option(caught.value) == option


def test_an_error_of_ours_is_a_usage_error():
    assert usage_message(typer.BadParameter("wrong", param_hint="'--every'")) == "Invalid value for '--every': wrong"


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["x"], "none"),
        (["x", "--every"], "2"),
        (["-e", "--", "x"], "2"),
        (["x", "--every", "5"], "5"),
        (["x", "--every=5"], "5"),
        (["x", "-e5"], "5"),
    ],
)
def test_an_option_without_a_value_gets_the_default(arguments, value):
    assert run(with_default_value(arguments, ("--every", "-e"), "2")) == value


@pytest.mark.library_fault
def test_typer_does_not_export_the_base_class_of_usage_errors(report_fault):
    report_fault("typer_usage.UsageError", "typer", not hasattr(typer, "UsageError"))


@pytest.mark.library_fault
@pytest.mark.filterwarnings("ignore:The 'is_flag' and 'flag_value':DeprecationWarning")
def test_without_it_an_option_cannot_have_an_optional_value(report_fault):
    try:
        fixed = run(["x", "--every"], is_flag=False, flag_value="2") == "2"
    except UsageError:
        fixed = False
    report_fault("typer_usage.with_default_value", "typer", not fixed)
