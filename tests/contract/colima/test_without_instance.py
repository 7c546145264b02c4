# SPDX-License-Identifier: GPL-3.0-or-later
"""What colima answers without any machine. These run on the real colima and limactl, too."""

from __future__ import annotations

import os

import pytest

from .conftest import Rig, spoken

NOTHING = "No instance found. Run `colima start` to create an instance."
TABLE = [
    # command, exit code, stdout, messages on stderr
    pytest.param(["list"], 0, "PROFILE", [NOTHING], id="list"),
    pytest.param(["ls"], 0, "PROFILE", [NOTHING], id="ls"),
    pytest.param(["list", "--json"], 0, "", [], id="list as JSON"),
    pytest.param(["list", "nosuch"], 1, "", ["error retrieving instances: exit status 1"], id="list of an unknown name"),
    pytest.param(["status"], 1, "", ["colima is not running"], id="status"),
    pytest.param(["status", "--json"], 1, "", ["colima is not running"], id="status as JSON"),
    pytest.param(["status", "x"], 1, "", ["colima [profile=x] is not running"], id="status of a profile"),
    pytest.param(["status", "-p", "colima-x"], 1, "", ["colima [profile=x] is not running"], id="the prefix is dropped"),
    pytest.param(["status", "-p", "x", "y"], 1, "", ["colima [profile=x] is not running"], id="the flag wins over the word"),
    pytest.param(["stop"], 0, "", ["stopping colima", "not running", "done"], id="stop"),
    pytest.param(["restart"], 1, "", ["error retrieving instance: exit status 1"], id="restart"),
    pytest.param(["kubernetes", "start"], 1, "", ["colima is not running"], id="kubernetes start"),
    pytest.param(["ssh", "--", "true"], 1, "", ["colima not running"], id="ssh"),
    pytest.param(["nerdctl", "ps"], 1, "", ["colima is not running"], id="nerdctl"),
    pytest.param(["update"], 1, "", ["runtime cannot be updated, colima is not running"], id="update"),
    pytest.param(
        ["clone", "a", "b"],
        1,
        "",
        ["preparing to clone colima [profile=a]...", "colima profile 'a' does not exist"],
        id="clone",
    ),
]


@pytest.mark.parametrize(("argv", "rc", "out", "messages"), TABLE)
def test_commands_without_an_instance_answer_as_the_contract_says(
    bare: Rig, argv: list[str], rc: int, out: str, messages: list[str]
) -> None:
    result = bare.colima(*argv)
    assert (result.rc, result.messages) == (rc, messages), result
    assert result.out.startswith(out) if out else result.out == "", result


def test_version_needs_no_lima(bare: Rig) -> None:
    result = bare.colima("version", PATH="/nonexistent:" + bare.without("lima", "limactl"))
    assert result.rc == 0
    assert result.out.startswith(f"colima version v{bare.version}\n")
    assert "git commit: " in result.out


def test_the_version_flag_prints_one_line(bare: Rig) -> None:
    assert bare.colima("--version").out == f"colima version v{bare.version}\n"


def test_a_forced_stop_without_an_instance_fails_and_says_why_on_stdout(bare: Rig) -> None:
    result = bare.colima("stop", "--force")
    assert result.rc == 1
    assert result.fatal == "error stopping vm: error at 'stopping': exit status 1"
    assert "lima.yaml: no such file or directory" in result.out


@pytest.mark.parametrize("extra", [[], ["--data"]], ids=["plain", "with data"])
def test_a_forced_delete_without_an_instance_succeeds(bare: Rig, extra: list[str]) -> None:
    result = bare.colima("delete", "--force", *extra)
    assert (result.rc, result.messages) == (0, ["deleting colima", "done"]), result
    assert spoken(result.out) == [("warning", "Ignoring non-existent instance `colima`", "")]


def test_delete_without_an_answer_deletes_nothing_and_succeeds(bare: Rig) -> None:
    result = bare.colima("delete")
    assert result.rc == 0
    assert result.out == "are you sure you want to delete colima and all settings? [y/N] \x1b[0m"
    assert result.err == ""


def test_ssh_config_names_the_missing_file(bare: Rig) -> None:
    result = bare.colima("ssh-config")
    assert result.rc == 1
    expected = "error retrieving ssh config: error retrieving Lima SSH config file for profile 'colima': open "
    assert result.fatal.startswith(expected)
    assert result.fatal.endswith("ssh.config: no such file or directory")


def test_the_profile_variable_filters_list(bare: Rig) -> None:
    assert bare.colima("list", COLIMA_PROFILE="nosuch").rc == 1


def test_any_command_makes_the_directories(bare: Rig) -> None:
    bare.colima("list")
    assert bare.lima.is_dir()


def test_an_unknown_flag_shows_the_usage_and_a_fatal_line(bare: Rig) -> None:
    result = bare.colima("start", "--nosuch")
    assert result.rc == 1
    assert result.err.startswith("Error: unknown flag: --nosuch\nUsage:\n")
    assert result.fatal == "unknown flag: --nosuch"
    assert result.out == ""


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--cpus", "abc"], 'invalid argument "abc" for "-c, --cpus" flag: strconv.ParseInt: parsing "abc": invalid syntax'),
        (["--env", "FOO"], "FOO must be formatted as key=value"),
        (["--gateway-address", "foo"], 'failed to parse IP: "foo"'),
        (["--dns", "x"], "invalid string being converted to IP address: x"),
        (["--kubernetes=maybe"], 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        (["--cpus"], "flag needs an argument: --cpus"),
        (["-Q"], "unknown shorthand flag: 'Q' in -Q"),
        (["a", "b"], "accepts at most 1 arg(s), received 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_flag_that_cannot_be_read_is_a_usage_error_and_saves_nothing(bare: Rig, flags: list[str], reason: str) -> None:
    result = bare.colima("start", *flags)
    assert result.rc == 1
    assert result.fatal.endswith(reason), result
    assert "Usage:" in result.err
    assert not (bare.base / "default" / "colima.yaml").exists()


def test_an_unknown_command_is_refused(bare: Rig) -> None:
    result = bare.colima("nosuch")
    assert (result.rc, result.fatal) == (1, 'unknown command "nosuch" for "colima"')


def test_an_unknown_kubernetes_command_prints_help_and_succeeds(bare: Rig) -> None:
    result = bare.colima("kubernetes")
    assert result.rc == 0
    assert "Usage:" in result.out


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--mount-type", "foo"], "invalid mountType: 'foo'"),
        (["--port-forwarder", "foo"], "invalid port forwarder: 'foo'"),
        (["--gateway-address", "10.0.0.1"], 'the last octet of gateway "10.0.0.1" is not 2'),
        (["--gateway-address", "fe80::2"], 'gateway "fe80::2" is not IPv4'),
        (["--disk-image", "https://x/y"], "cannot use diskImage: remote URLs not supported, only local files can be specified"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_validation_refuses_is_not_saved(bare: Rig, flags: list[str], reason: str) -> None:
    result = bare.colima("start", *flags)
    assert (result.rc, result.fatal) == (1, f"error in config: {reason}"), result
    assert not (bare.base / "default" / "colima.yaml").exists()


def test_an_unknown_runtime_is_refused_only_after_it_was_saved(bare: Rig) -> None:
    result = bare.colima("start", "--runtime", "bogus")
    assert (result.rc, result.fatal) == (1, "error initiating container runtime: unsupported container runtime 'bogus'"), result
    assert bare.config()["runtime"] == "bogus"


def test_an_unknown_downloader_is_refused_after_the_save(bare: Rig) -> None:
    result = bare.colima("start", "--downloader", "wget")
    assert (result.rc, result.fatal) == (1, 'invalid downloader "wget": must be one of native, curl')
    assert bare.config()["runtime"] == "docker"


def test_a_host_without_docker_is_refused_after_the_save(bare: Rig) -> None:
    result = bare.colima("start", PATH=bare.without("docker"))
    assert result.rc == 1
    assert result.fatal == "dependency check failed for docker: docker not found, run 'brew install docker' to install"
    assert bare.config()["runtime"] == "docker"


def test_a_host_without_kubectl_is_refused(bare: Rig) -> None:
    result = bare.colima("start", "--kubernetes", PATH=bare.without("kubectl"))
    expected = "dependency check failed for kubernetes: kubectl not found, run 'brew install kubectl' to install"
    assert (result.rc, result.fatal) == (1, expected)


def test_without_limactl_start_and_list_say_so(bare: Rig) -> None:
    path = bare.without("limactl")
    start = bare.colima("start", PATH=path)
    missing = 'exec: "limactl": executable file not found in $PATH'
    assert (start.rc, start.fatal) == (1, f"lima compatibility error: error checking Lima version: {missing}")
    listed = bare.colima("list", PATH=path)
    assert (listed.rc, listed.fatal) == (1, f"error retrieving instances: {missing}")


def test_without_lima_every_command_that_needs_a_machine_says_so(bare: Rig) -> None:
    result = bare.colima("stop", PATH=bare.without("lima"))
    assert result.rc == 1
    assert "dependency check failed for VM: lima not found, run 'brew install lima' to install" in result.fatal


def test_an_old_lima_is_refused(standin: Rig) -> None:
    result = standin.colima("start", REHEARSAL_LIMA_VERSION="0.17.0")
    reason = "minimum Lima version supported is v0.18.0, current version is v0.17.0"
    assert (result.rc, result.fatal) == (1, f"lima compatibility error: {reason}")


def test_as_root_limactl_refuses(standin: Rig) -> None:
    # The lab may run as root, so the stand-in refuses only when a setting says so.
    if os.geteuid() != 0:
        pytest.skip("only root can see limactl refuse root")
    assert standin.colima("list", REHEARSAL_REFUSE_ROOT="1").fatal == "error retrieving instances: exit status 1"
    assert standin.colima("status", REHEARSAL_REFUSE_ROOT="1").fatal == "colima is not running"
    assert standin.colima("stop", REHEARSAL_REFUSE_ROOT="1").messages == ["stopping colima", "not running", "done"]
    started = standin.colima("start", REHEARSAL_REFUSE_ROOT="1")
    assert "must not run as the root user" in started.out + started.err
    assert started.fatal.startswith(("must not", "lima compatibility error"))


def test_colima_home_counts_only_if_it_exists(bare: Rig) -> None:
    elsewhere = bare.home / "elsewhere"
    bare.colima("list", COLIMA_HOME=str(elsewhere))
    assert not elsewhere.exists()
    assert bare.base.is_dir()
    elsewhere.mkdir(mode=0o777)
    elsewhere.chmod(0o777)
    bare.colima("list", COLIMA_HOME=str(elsewhere))
    assert (elsewhere / "_lima").is_dir()


def test_xdg_config_home_moves_the_base_and_the_old_base_warns(bare: Rig) -> None:
    xdg = bare.home / "xdg"
    bare.colima("list", XDG_CONFIG_HOME=str(xdg))
    assert (xdg / "colima" / "_lima").is_dir()
    (bare.home / ".colima").mkdir(mode=0o777)
    (bare.home / ".colima").chmod(0o777)
    warned = bare.colima("list", XDG_CONFIG_HOME=str(xdg)).warnings
    assert "found ~/.colima, ignoring $XDG_CONFIG_HOME..." in warned


def test_template_prints_a_path_that_need_not_exist(bare: Rig) -> None:
    result = bare.colima("template", "--print")
    assert result.out.strip() == str(bare.base / "_templates" / "default.yaml")


def test_a_name_that_lima_cannot_take_is_refused_after_the_save(bare: Rig) -> None:
    result = bare.colima("start", "a b")
    assert result.rc == 1
    assert "must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$" in result.fatal, result
    assert (bare.base / "a b" / "colima.yaml").exists()


@pytest.mark.parametrize(("disk", "reason"), [("-5", "invalid size: '-5GiB'")])
def test_a_disk_size_that_lima_cannot_read_is_refused_late(bare: Rig, disk: str, reason: str) -> None:
    result = bare.colima("start", f"--disk={disk}")
    assert result.rc == 1
    assert "error creating runtime disk: error creating lima disk: exit status 1, output: " in result.fatal
    assert reason in result.fatal


def test_prune_asks_and_takes_silence_for_no(bare: Rig) -> None:
    result = bare.colima("prune")
    assert result.rc == 0
    assert "will be emptied, are you sure" in result.out


def test_nerdctl_install_writes_a_script_once(bare: Rig) -> None:
    target = bare.home / "nerdctl"
    first = bare.colima("nerdctl", "install", "-p", "work", "--path", str(target))
    assert (first.rc, first.out, first.err) == (0, "", ""), first
    assert target.stat().st_mode & 0o777 == 0o755
    lines = target.read_text().split("\n\n")
    assert lines[0] == "#!/usr/bin/env sh"
    assert lines[1].endswith('colima nerdctl --profile work -- "$@"\n')
    again = bare.colima("nerdctl", "install", "-p", "work", "--path", str(target))
    assert (again.rc, again.fatal) == (1, f"{target} exists, use --force to replace")
    forced = bare.colima("nerdctl", "install", "-p", "work", "--path", str(target), "--force")
    assert forced.rc == 0
    assert (bare.home / "nerdctl.moved").exists()
