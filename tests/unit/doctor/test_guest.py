# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of a VM mean."""

from __future__ import annotations

from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.space import DiskUsage
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.doctor.guest import GuestReport, script_for, told_from

ANSWERS = """== clock
1000
== uptime
7260.12 14000.00
== memory
MemTotal:       1000 kB
MemFree:         10 kB
MemAvailable:   250 kB
== disks
Filesystem     1024-blocks    Used Available Capacity Mounted on
/dev/vda1          20134592 4194304  15940288      21% /
/dev/vdb1         102626232   1024  97366920       1% /mnt/lima-colima-a
== mounts
/dev/vda1 / ext4 rw 0 0
/dev/vdb1 /mnt/lima-colima-a ext4 rw 0 0
/dev/vdb1 /var/lib/docker ext4 rw 0 0
== emulators
/proc/sys/fs/binfmt_misc/rosetta
== names
192.168.5.2     host.lima.internal
== outside
34.0.0.1        STREAM registry-1.docker.io
== authorities
own.crt
readme
"""


def test_all_answers_are_read() -> None:
    assert told_from(ANSWERS, 990.0) == GuestReport(
        clock=10.0,
        uptime=7260.12,
        memory_free=0.25,
        disks={"/": DiskUsage(20134592 << 10, 4194304 << 10), "/mnt/lima-colima-a": DiskUsage(102626232 << 10, 1024 << 10)},
        mounts=frozenset({"/", "/mnt/lima-colima-a", "/var/lib/docker"}),
        emulators=frozenset({"rosetta"}),
        resolves=True,
        authorities=("own.crt",),
    )


def test_what_a_vm_does_not_have_is_left_empty() -> None:
    guest = told_from("== clock\n== uptime\n== names\n== outside\n== authorities\n", 0.0)
    assert guest == GuestReport(resolves=False, resolves_outside=False)


def test_one_script_asks_everything_of_the_profile() -> None:
    script = script_for(parse_name("k8s"))
    assert script.count("echo == ") == ANSWERS.count("== ")
    assert "/mnt/lima-colima-k8s" in script and "\n" not in script
