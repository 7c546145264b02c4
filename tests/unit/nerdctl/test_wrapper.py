# SPDX-License-Identifier: GPL-3.0-or-later
"""The nerdctl command on the host: written, kept, moved, never at the cost of the user's file."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.nerdctl.wrapper import bound_profile, script

from tests.support.in_process_module import ModuleRun, messages

# What colima 0.10 writes, letter by letter.
WRITTEN_BY_COLIMA = '#!/usr/bin/env sh\n\n/opt/homebrew/bin/colima nerdctl --profile k8s -- "$@"\n'


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


# How the real colima reaches nerdctl: `colima nerdctl --profile P -- ARGS`; and its words while the VM is down.
FORWARDS = """#!/bin/sh
if test -e "$HOME/stopped"; then
  echo 'time="2026-11-24T00:00:00Z" level=fatal msg="colima is not running"' >&2
  exit 1
fi
echo "$@" >> "$HOME/calls"
shift 4
exec {nerdctl} "$@"
"""


@pytest.fixture
def colima(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = home / "bin/colima"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{home}/.local/bin:/usr/bin:/bin")
    return str(path)


def test_the_script_is_what_colima_writes() -> None:
    assert script("/opt/homebrew/bin/colima", "k8s") == WRITTEN_BY_COLIMA


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        (WRITTEN_BY_COLIMA, "k8s"),
        (script("/home/a b/colima", "default"), "default"),
        (script("/home/o'neill/a b/colima", "default"), "default"),
        ('#!/bin/sh\ncolima nerdctl -p dev -- "$@"\n', "dev"),
        ('#!/usr/bin/env sh\n\n/home/a b/colima nerdctl --profile k8s -- "$@"\n', "k8s"),
        ("", None),
        ("\x7fELF", None),
        ('#!/bin/sh\nset -e\ncolima nerdctl --profile k8s -- "$@"\necho done\n', None),
        ('#!/bin/sh\nexec limactl shell x nerdctl "$@"\n', None),
    ],
)
def test_a_wrapper_is_told_from_other_files(text: str, profile: str | None) -> None:
    assert bound_profile(text) == profile


def test_check_apply_check_apply(run: ModuleRun, home: Path, colima: str) -> None:
    wrappers = [{"profile": "k8s"}, {"path": "~/.local/bin/nerdctl-lab", "profile": "colima-lab"}]
    checked = run("nerdctl_wrapper", check=True, wrappers=wrappers)
    assert not (home / ".local").exists()
    applied = run("nerdctl_wrapper", wrappers=wrappers)
    assert (checked["actions"], checked["diff"]) == (applied["actions"], applied["diff"])
    assert (home / ".local/bin/nerdctl").read_text() == script(colima, "k8s")
    assert (home / ".local/bin/nerdctl-lab").read_text() == script(colima, "lab")
    assert stat.S_IMODE((home / ".local/bin/nerdctl").stat().st_mode) == 0o755
    assert not messages(applied)
    assert not run("nerdctl_wrapper", check=True, wrappers=wrappers)["changed"]
    assert not run("nerdctl_wrapper", wrappers=wrappers)["changed"]
    run("nerdctl_wrapper", wrappers=[{**item, "state": "absent"} for item in wrappers])
    assert not list((home / ".local/bin").iterdir())


def test_a_script_that_colima_installed_stays_the_users_own(run: ModuleRun, home: Path, colima: str) -> None:
    path = home / "nerdctl"
    path.write_text(script(colima, "k8s"))
    path.chmod(0o755)
    assert not run("nerdctl_wrapper", wrappers=[{"path": str(path), "profile": "k8s"}])["changed"]
    left = run("nerdctl_wrapper", wrappers=[{"path": str(path), "state": "absent"}])
    assert not left["changed"]
    assert messages(left) == [f"'{path}' was not written by laptop.containers and was left alone."]
    result = run("nerdctl_wrapper", wrappers=[{"path": str(path), "profile": "dev"}])
    assert result["actions"] == [f"write nerdctl wrapper '{path}' (profile 'k8s' -> 'dev', old file moved to {path}.moved)"]
    path.chmod(0o644)
    assert run("nerdctl_wrapper", wrappers=[{"path": str(path), "profile": "dev"}])["changed"]
    assert os.access(path, os.X_OK)
    run("nerdctl_wrapper", wrappers=[{"path": str(path), "state": "absent"}])
    assert path.read_text() == script(colima, "k8s")


def test_a_foreign_file_is_never_overwritten_or_removed(run: ModuleRun, home: Path, colima: str) -> None:
    path = home / "nerdctl"
    path.write_bytes(b"\x7fELF\xff\xfe")
    refused = run("nerdctl_wrapper", wrappers=[{"path": str(path), "profile": "k8s"}])
    assert refused["msg"].startswith(f"Could not write nerdctl wrapper '{path}': another file is there.")
    folder = run("nerdctl_wrapper", wrappers=[{"path": str(home), "profile": "k8s", "move_foreign": True}])
    assert folder["msg"] == f"Could not write nerdctl wrapper '{home}': it is not a file. Move it away, or choose another path."
    left = run("nerdctl_wrapper", wrappers=[{"path": str(path), "state": "absent"}])
    assert not left["changed"]
    assert "left alone" in messages(left)[0]
    assert path.read_bytes() == b"\x7fELF\xff\xfe"


def test_a_foreign_file_moves_aside_only_when_told(run: ModuleRun, home: Path, colima: str) -> None:
    path = home / "nerdctl"
    path.write_text("mine")
    (home / "nerdctl.moved").write_text("older")
    run("nerdctl_wrapper", wrappers=[{"path": str(path), "profile": "k8s", "move_foreign": True}])
    assert (home / "nerdctl.moved.1").read_text() == "mine"
    assert (home / "nerdctl.moved").read_text() == "older"
    assert path.read_text() == script(colima, "k8s")


def test_what_was_moved_aside_comes_back(run: ModuleRun, home: Path, colima: str) -> None:
    path = home / "nerdctl"
    path.write_bytes(b"\x7fELF\xff\xfe")
    path.chmod(0o755)
    (home / "nerdctl.moved").write_text("older")
    wrapper = {"path": str(path), "profile": "k8s", "move_foreign": True}
    run("nerdctl_wrapper", wrappers=[wrapper])
    # Written again, it is still the one for which a file was moved.
    run("nerdctl_wrapper", wrappers=[{**wrapper, "profile": "dev"}])
    absent = [{**wrapper, "state": "absent"}]
    checked = run("nerdctl_wrapper", check=True, wrappers=absent)
    assert path.read_text() == script(colima, "dev")
    result = run("nerdctl_wrapper", wrappers=absent)
    assert (checked["actions"], checked["diff"]) == (result["actions"], result["diff"])
    assert result["actions"] == [
        f"remove nerdctl wrapper '{path}' (for profile 'dev')",
        f"restore '{path}' (from {path}.moved.1)",
    ]
    assert (path.read_bytes(), os.access(path, os.X_OK)) == (b"\x7fELF\xff\xfe", True)
    assert sorted(item.name for item in home.glob("nerdctl*")) == ["nerdctl", "nerdctl.moved"]
    assert not run("nerdctl_wrapper", wrappers=absent)["changed"]
    assert path.read_bytes() == b"\x7fELF\xff\xfe"


def test_what_was_moved_aside_comes_back_after_a_kill(run: ModuleRun, home: Path, colima: str) -> None:
    path = home / "nerdctl"
    path.write_text("mine")
    run("nerdctl_wrapper", wrappers=[{"path": str(path), "profile": "k8s", "move_foreign": True}])
    # Killed when the file had been moved and the wrapper was not yet there, or when it had gone and the file was not yet back.
    path.unlink()
    result = run("nerdctl_wrapper", wrappers=[{"path": str(path), "state": "absent"}])
    assert result["actions"] == [f"restore '{path}' (from {path}.moved)"]
    assert path.read_text() == "mine"


def test_only_what_made_way_for_the_wrapper_comes_back(run: ModuleRun, home: Path, colima: str) -> None:
    path = home / "nerdctl"
    run("nerdctl_wrapper", wrappers=[{"path": str(path), "profile": "k8s"}])
    (home / "nerdctl.moved").write_text("moved by the user")
    result = run("nerdctl_wrapper", wrappers=[{"path": str(path), "state": "absent"}])
    assert result["actions"] == [f"remove nerdctl wrapper '{path}' (for profile 'k8s')"]
    assert (home / "nerdctl.moved").read_text() == "moved by the user"
    # Nor in place of what has come there since.
    path.write_text("mine")
    run("nerdctl_wrapper", wrappers=[{"path": str(path), "profile": "k8s", "move_foreign": True}])
    path.write_text("newer")
    assert not run("nerdctl_wrapper", wrappers=[{"path": str(path), "state": "absent"}])["changed"]
    assert (path.read_text(), (home / "nerdctl.moved.1").read_text()) == ("newer", "mine")


def test_a_colima_in_a_directory_with_a_space_is_found(run: ModuleRun, home: Path, colima: str) -> None:
    place = home / "o'neill's tools/colima"
    place.parent.mkdir()
    place.write_text('#!/bin/sh\necho "$@"\n')
    place.chmod(0o755)
    options: dict[str, Any] = {"wrappers": [{"profile": "k8s"}], "colima": str(place)}
    run("nerdctl_wrapper", **options)
    done = subprocess.run([str(home / ".local/bin/nerdctl"), "ps"], capture_output=True, text=True, check=False)
    assert done.stdout == "nerdctl --profile k8s -- ps\n"
    assert not run("nerdctl_wrapper", **options)["changed"]


def test_a_link_of_a_dotfiles_manager_is_kept(run: ModuleRun, home: Path, colima: str) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles/nerdctl").write_text(script(colima, "old"))
    (home / "nerdctl").symlink_to("dotfiles/nerdctl")
    run("nerdctl_wrapper", wrappers=[{"path": str(home / "nerdctl"), "profile": "k8s"}])
    assert (home / "nerdctl").read_text() == script(colima, "k8s")
    assert (home / "dotfiles/nerdctl").read_text() == script(colima, "old")
    run("nerdctl_wrapper", wrappers=[{"path": str(home / "nerdctl"), "state": "absent"}])
    assert (home / "nerdctl").is_symlink()


def test_a_directory_that_is_not_on_path_is_named(run: ModuleRun, home: Path, colima: str) -> None:
    result = run("nerdctl_wrapper", wrappers=[{"path": str(home / "elsewhere/nerdctl"), "profile": "k8s"}])
    assert f"'{home}/elsewhere' is not on the PATH of this run" in messages(result)[0]


def test_a_command_that_comes_first_is_named(run: ModuleRun, home: Path, colima: str) -> None:
    other = home / "bin/nerdctl"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    result = run("nerdctl_wrapper", wrappers=[{"profile": "k8s"}])
    assert f"Typing 'nerdctl' starts '{other}'" in messages(result)[0]


@pytest.mark.parametrize(
    ("wrappers", "said"),
    [
        ([{"profile": "colima-default"}], "Could not use profile name 'colima-default'"),
        ([{"profile": "a b"}], "Could not use profile name 'a b'"),
        ([{"profile": "a"}, {"profile": "b"}], "listed twice"),
        ([{"path": "bin/nerdctl", "profile": "a"}], "it is not absolute"),
        ([{}], "profile"),
    ],
)
def test_what_cannot_be_meant_is_refused(run: ModuleRun, colima: str, wrappers: list[dict[str, str]], said: str) -> None:
    assert said in run("nerdctl_wrapper", wrappers=wrappers)["msg"]


def test_without_colima_check_mode_plans_and_a_run_says_how_to_get_it(
    run: ModuleRun, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.laptop.containers.plugins.module_utils.core.system import command as cli

    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setattr(cli, "USUAL_DIRECTORIES", ())
    assert run("nerdctl_wrapper", check=True, wrappers=[{"profile": "k8s"}])["changed"]
    assert run("nerdctl_wrapper", wrappers=[{"profile": "k8s"}])["msg"].startswith("Could not find 'colima'")
    assert not run("nerdctl_wrapper", wrappers=[{"state": "absent"}])["changed"]


# --- completion ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def forwards(home: Path, colima: str, engine: Callable[[str], Path]) -> Path:
    """A colima that hands its command to the real nerdctl; the answer is the log of its calls."""
    Path(colima).write_text(FORWARDS.format(nerdctl=engine("nerdctl")))
    return home / "calls"


def completions(home: Path) -> dict[str, Path]:
    files = {
        "bash": home / ".local/share/bash-completion/completions/nerdctl",
        "zsh": home / ".zfunc/_nerdctl",
        "fish": home / ".config/fish/completions/nerdctl.fish",
    }
    return {shell: path for shell, path in files.items() if path.exists()}


def test_completion_is_what_nerdctl_prints_and_is_asked_for_once(run: ModuleRun, home: Path, forwards: Path) -> None:
    options: dict[str, Any] = {"wrappers": [{"profile": "k8s"}], "completion": ["zsh", "bash", "fish"]}
    checked = run("nerdctl_wrapper", check=True, **options)
    assert completions(home) == {}
    assert not forwards.exists()
    applied = run("nerdctl_wrapper", **options)
    assert (checked["actions"], checked["diff"]) == (applied["actions"], applied["diff"])
    found = completions(home)
    assert sorted(found) == ["bash", "fish", "zsh"]
    assert found["zsh"].read_text().startswith("#compdef nerdctl\n")
    assert "complete -o default -o nospace -F __start_nerdctl nerdctl" in found["bash"].read_text()
    assert "complete -c nerdctl" in found["fish"].read_text()
    assert "nerdctl --profile k8s -- completion zsh" in forwards.read_text()
    assert "fpath=(~/.zfunc $fpath)" in messages(applied)[0]
    asked = forwards.read_text()
    (home / ".zshrc").write_text("fpath=(~/.zfunc $fpath)\nautoload -Uz compinit && compinit\n")
    again = run("nerdctl_wrapper", **options)
    assert not again["changed"]
    assert not messages(again)
    assert forwards.read_text() == asked


def test_completion_goes_with_the_shell_and_with_the_command(run: ModuleRun, home: Path, forwards: Path) -> None:
    run("nerdctl_wrapper", wrappers=[{"profile": "k8s"}], completion=["bash", "fish"])
    gone = run("nerdctl_wrapper", wrappers=[{"profile": "k8s"}], completion=["fish"])
    assert gone["actions"] == [f"remove bash completion '{home}/.local/share/bash-completion/completions/nerdctl'"]
    # The role leaves its list as it is when everything is removed.
    run("nerdctl_wrapper", wrappers=[{"state": "absent"}], completion=["fish"])
    assert completions(home) == {}
    assert not run("nerdctl_wrapper", wrappers=[{"state": "absent"}], completion=["fish"])["changed"]


def test_a_foreign_completion_is_never_overwritten_or_removed(run: ModuleRun, home: Path, forwards: Path) -> None:
    own = home / ".zfunc/_nerdctl"
    own.parent.mkdir()
    own.write_text("#compdef nerdctl\n")
    refused = run("nerdctl_wrapper", wrappers=[{"profile": "k8s"}], completion=["zsh"])
    assert refused["msg"].startswith(f"Could not write zsh completion '{own}': another file is there.")
    assert not (home / ".local/bin/nerdctl").exists()
    run("nerdctl_wrapper", wrappers=[{"state": "absent"}])
    assert own.read_text() == "#compdef nerdctl\n"


def test_completion_of_a_stopped_profile_is_pending(run: ModuleRun, home: Path, forwards: Path) -> None:
    (home / "stopped").touch()
    options: dict[str, Any] = {"wrappers": [{"profile": "k8s"}], "completion": ["bash"]}
    result = run("nerdctl_wrapper", **options)
    assert result["actions"] == [f"write nerdctl wrapper '{home}/.local/bin/nerdctl' (for profile 'k8s')"]
    assert result["pending"][0]["reason"] == "nerdctl in profile 'k8s' did not print it (colima is not running)"
    assert "colima start k8s" in result["pending"][0]["remedy"]
    assert not run("nerdctl_wrapper", **options)["changed"]
    (home / "stopped").unlink()
    assert run("nerdctl_wrapper", **options)["changed"]


def test_only_a_command_named_nerdctl_can_be_completed(run: ModuleRun, colima: str) -> None:
    refused = run("nerdctl_wrapper", wrappers=[{"path": "~/bin/n", "profile": "k8s"}], completion=["bash"])
    assert refused["msg"].startswith("Could not plan completion of 'nerdctl': no wrapper has that name")
