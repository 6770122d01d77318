import importlib
import pkgutil
from collections.abc import Iterator

import backupkit
from backupkit.errors import BackupkitError, ExitCode


class _Sample(BackupkitError):
    code = "sample"
    exit_code = ExitCode.DAMAGED


# Nobody outside can mend these: either they are caught inside, or they are bugs.
OUR_OWN_MISTAKES = {"bug", "chunk-not-stored", "chunk-too-large", "unanswerable"}


def every_error(base: type[BackupkitError] = BackupkitError) -> Iterator[type[BackupkitError]]:
    for error in base.__subclasses__():
        if error.__module__.startswith("backupkit."):
            yield error
            yield from every_error(error)


def test_an_error_carries_facts_and_shows_them_to_developers() -> None:
    error = _Sample(what="pack", size=3)

    assert error.facts == {"what": "pack", "size": 3}
    assert str(error) == "sample(what='pack', size=3)"


def test_the_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert {code.value for code in ExitCode} == {
        *(0, 1, 2, 3, 5, 6, 10, 11, 12, 13, 14, 20, 21, 22, 23, 30, 40, 41, 42, 130, 143)
    }


def test_every_error_of_the_house_has_a_code_of_its_own_in_kebab_case() -> None:
    for module in pkgutil.walk_packages(backupkit.__path__, "backupkit."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    # A base that only gathers others is never raised, so it needs no code.
    errors = [error for error in every_error() if not error.__subclasses__() or "code" in vars(error)]
    codes = [error.code for error in errors]

    assert len(set(codes)) == len(codes), sorted(code for code in codes if codes.count(code) > 1)
    assert all(code == code.lower() and set(code) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for code in codes)
    assert {error.code for error in errors if error.exit_code in {ExitCode.DONE, ExitCode.BUG}} == OUR_OWN_MISTAKES
