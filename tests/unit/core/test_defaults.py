# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as a subject gets them: the same as from Ansible itself, for every module."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.laptop.containers.plugins.module_utils.core.defaults import complete
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError

from tests.support.in_process_module import SUBJECTS

# A module that is not here is tried with its defaults alone.
GIVEN: dict[str, dict[str, Any]] = {
    "brew_bundle": {"brewfile": "brew 'colima'"},
    "buildx_builder": {
        "builders": [{"name": "a", "platforms": ["linux/amd64"], "default": "yes", "nodes": [{"endpoint": "x"}]}],
        "timeout": "3",
    },
    "cluster_migration": {"source": "desktop-linux", "context": "docker-desktop", "namespaces": "a,b", "timeout": "9"},
    "colima_disk_snapshot": {"profile": "a", "name": "before"},
    "colima_profile": {
        "profiles": [{"name": "a", "cpu": "2", "memory": 4, "kubernetes": {"enabled": "true"}, "mounts": [{"location": "~/x"}]}],
        "host": {"cpus": "4", "memory_mib": 8192},
        "confirm_data_loss": "a,b",
        "delete_data": "no",
    },
    "colima_profile_info": {"names": ["a"]},
    "move": {"profile": "a", "images": "web:*,db:*", "secrets": "yes", "timeout": "9"},
    "docker_cli_config": {"env_file": "~/docker.env", "repair": "off", "plugins": [], "testcontainers": "on"},
    "docker_context": {"contexts": [{"name": "ab", "docker": {"profile": "x", "skip_tls_verify": "1"}}], "probe_timeout": 1},
    "docker_context_info": {},
    "docker_migration": {"source": "desktop-linux", "largest_gib": "1.5", "volumes": "a,b", "pause": "yes"},
    "docker_migration_info": {"source": "desktop-linux"},
    "docker_volume_snapshot": {"name": "before", "volumes": "a,b", "pause": "yes"},
    "docker_socket_link": {"target": "~/x.sock"},
    "ecr_pull_secret": {"registries": ["x", {"host": "y"}], "namespaces": None, "prune": True},
    "local_registry": {"host": "localhost:5000", "kubeconfig": "~/kubeconfig"},
    "nerdctl_wrapper": {"wrappers": [{"profile": "k8s"}, {"path": "$HOME/n", "profile": "x", "move_foreign": "True"}]},
    "bootstrap": {"requirements": "words==1.0", "fetch": "no"},
    "support": {"path": "~/support.tar.gz", "report": {"schema": 1}},
    "toolchain_info": {"known_to_break": "ignore"},
    "upgrade": {"programs": "colima,limactl", "stop": "yes"},
    "user_timer": {"name": "refresh", "command": ["/bin/true"], "every": "30", "environment": {"A": "b"}},
    "doctor": {"groups": "tools,docker", "timeout": 3},
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_options_are_completed_as_ansible_completes_them(name: str) -> None:
    subject = SUBJECTS[name]
    checked = ArgumentSpecValidator(subject.argument_spec, **subject.rules).validate(dict(GIVEN.get(name, {})))
    assert not checked.error_messages
    assert complete(subject.argument_spec, GIVEN.get(name, {})) == checked.validated_parameters


def test_what_no_option_can_be_is_refused() -> None:
    for given in ({"n": "many"}, {"d": [1]}, {}):
        with pytest.raises(InputError):
            complete(
                {"n": {"type": "int"}, "d": {"type": "dict", "options": {}}, "r": {"required": True}},
                {"r": "x"} | given if given else {},
            )
