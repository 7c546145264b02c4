#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks this Mac whether it is as docs/macos.md assumes, and prints a table to be pasted into an issue.

For Python 3.9, which macOS brings, and nothing but its standard library. It starts no VM, asks launchd and changes nothing of it,
and writes in a folder of its own in the home directory, which goes at the end. On Linux it asks what both systems have. It exits
with 1 where a row is wrong. Usage: mac_facts.py [ROW ...]
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unicodedata
from pathlib import Path

MAC = sys.platform == "darwin"
ARM = os.uname().machine in ("arm64", "aarch64")
SECONDS, LONGEST = 10, 100
USUAL = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


class Wrong(Exception):
    """The row is wrong here; the text says what was found."""


class NotAsked(Exception):
    """The question can't be put here; the text says why."""


def main(wanted: list[str]) -> int:
    """Ask, and print the table. Returns 1 where a row is wrong."""
    began, wrong = time.monotonic(), []
    print(f"**{system()}**\n\n| row | here | found |\n|---|---|---|")
    for row, check in CHECKS.items():
        if wanted and row not in wanted:
            continue
        verdict, found = asked(check) if time.monotonic() < began + LONGEST else ("not asked", "the time is over")
        if verdict == "WRONG":
            wrong.append(row)
        shown = " ".join(found.replace(str(Path.home()), "~").replace("|", "/").split())
        print(f"| {row} | {verdict} | {shown} |", flush=True)
    took = time.monotonic() - began
    print(f"\n{len(wrong)} of these rows are wrong{': ' + ', '.join(wrong) if wrong else ''}. It took {took:.1f} s.")
    return 1 if wrong else 0


def asked(check) -> tuple:
    """Return the verdict on one row, and what was found."""
    try:
        with tempfile.TemporaryDirectory(prefix=".mac-facts.", dir=Path.home()) as place:
            return "as stated", str(check(Path(place)) or "")
    except NotAsked as reason:
        return "not asked", str(reason)
    except Exception as error:  # whatever happens is a finding
        return "WRONG", str(error) if isinstance(error, Wrong) else f"{type(error).__name__}: {error}"


def system() -> str:
    """Return what this machine is."""
    if not MAC:
        return f"{os.uname().sysname} {os.uname().release} {os.uname().machine}, Python {sys.version.split()[0]}"
    version, build = (said("sw_vers", f"-{word}") for word in ("productVersion", "buildVersion"))
    return f"macOS {version} ({build}) {os.uname().machine}, Darwin {os.uname().release}, Python {sys.version.split()[0]}"


def run(*command: str):
    """Run a program for a few seconds at most, and return how it ended."""
    if shutil.which(command[0], path=USUAL) is None and not Path(command[0]).exists():
        raise NotAsked(f"{command[0]} is not there")
    around = {**os.environ, "LC_ALL": "C", "PATH": USUAL}
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS, env=around, check=False)


def said(*command: str) -> str:
    """Return what a program printed."""
    return run(*command).stdout.strip()


def on_a_mac() -> None:
    """Leave a question out that makes sense on a Mac alone."""
    if not MAC:
        raise NotAsked("this is not a Mac")


def hold(holds: object, found: object) -> str:
    """Return what was found if the row holds."""
    if not holds:
        raise Wrong(str(found))
    return str(found)


def fails_with(number: int, call, *words) -> str:
    """Return the name of the error that a call fails with, which must be this one."""
    try:
        call(*words)
    except OSError as error:
        return hold(error.errno == number, errno.errorcode.get(error.errno or 0, str(error)))
    raise Wrong("it succeeded")


# -- files


def library():
    """Return the C library, whose last error is kept."""
    return ctypes.CDLL(None, use_errno=True)


def rename(one: Path, other: Path, mac_flag: int, linux_flag: int) -> None:
    """Rename in one of the ways that only the system has."""
    names = os.fsencode(one), os.fsencode(other)
    failed = library().renamex_np(*names, mac_flag) if MAC else library().renameat2(-100, names[0], -100, names[1], linux_flag)
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def rename_swap(place: Path) -> str:
    """Two names change places."""
    (place / "a").write_text("a")
    (place / "b").write_text("b")
    rename(place / "a", place / "b", 2, 2)
    return hold((place / "a").read_text() == "b" and (place / "b").read_text() == "a", "they changed places")


def rename_excl(place: Path) -> str:
    """A name that exists is not replaced."""
    (place / "a").write_text("a")
    (place / "b").write_text("b")
    return fails_with(errno.EEXIST, rename, place / "a", place / "b", 4, 1)


def fsync_drive(place: Path) -> str:
    """F_FULLFSYNC is known, and taken."""
    on_a_mac()
    with (place / "a").open("wb") as file:
        file.write(b"a")
        file.flush()
        fcntl.fcntl(file.fileno(), getattr(fcntl, "F_FULLFSYNC", 51))
    return "F_FULLFSYNC was taken"


def fsync_directory(place: Path) -> str:
    """A directory can be synced."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
        if MAC:
            fcntl.fcntl(handle, getattr(fcntl, "F_FULLFSYNC", 51))
    finally:
        os.close(handle)
    return "it was synced" + (", by F_FULLFSYNC too" if MAC else "")


def seek_data(place: Path) -> str:
    """No data is called a hole."""
    unit, spots = 1 << 20, (3, 5, 6)
    with (place / "sparse").open("wb+") as file:
        file.truncate(9 * unit)
        for spot in spots:
            os.pwrite(file.fileno(), b"x", spot * unit + 7)
        if not hasattr(os, "SEEK_DATA"):
            raise NotAsked("this Python knows no SEEK_DATA")
        before_sync = [os.lseek(file.fileno(), spot * unit, os.SEEK_DATA) for spot in spots]
        os.fsync(file.fileno())
        after = [os.lseek(file.fileno(), spot * unit, os.SEEK_DATA) for spot in spots]
    missed = [spot for number, spot in enumerate(spots) if max(before_sync[number], after[number]) > spot * unit + 7]
    return hold(not missed, f"data at {missed} MiB was passed over" if missed else f"first data at {after[0] / unit:g} MiB")


def clonefile(place: Path) -> str:
    """A clone has the same content; a name that exists is not replaced."""
    on_a_mac()
    (place / "a").write_bytes(b"x" * 100_000)
    names = os.fsencode(place / "a"), os.fsencode(place / "b")
    if library().clonefile(*names, 0):
        return "this file system clones nothing"
    again = library().clonefile(*names, 0)
    same = (place / "a").read_bytes() == (place / "b").read_bytes()
    return hold(again and same, "it is equal, and made once")


def clone_mode(place: Path) -> str:
    """A clone has the mode of its source."""
    on_a_mac()
    (place / "a").write_text("a")
    (place / "a").chmod(0o604)
    if library().clonefile(os.fsencode(place / "a"), os.fsencode(place / "b"), 0):
        raise NotAsked("this file system clones nothing")
    mode = stat.S_IMODE((place / "b").stat().st_mode)
    return hold(mode == 0o604, f"{mode:o}")


def blocks(place: Path) -> str:
    """Blocks are counted in units of 512 bytes."""
    (place / "a").write_bytes(os.urandom(1 << 20))
    with (place / "a").open("rb") as file:
        os.fsync(file.fileno())
    taken = (place / "a").stat().st_blocks * 512
    return hold(1 << 20 <= taken < 2 << 20, f"1 MiB takes {taken} bytes")


def name_max(place: Path) -> str:
    """A name may have 255 bytes."""
    name = "ä" * 127 + "a"
    (place / name).write_text("a")
    longer = place / (name + "b")
    try:
        longer.write_text("a")
    except OSError as error:
        return f"256 bytes: {errno.errorcode[error.errno or 0]}"
    return "256 bytes are taken, too"


def names_utf8(place: Path) -> str:
    """A name that is not UTF-8 is refused."""
    on_a_mac()
    return fails_with(errno.EILSEQ, open_new, os.fsencode(place) + b"/\xff")


def open_new(path: bytes) -> None:
    """Make a file."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def case(place: Path) -> str:
    """Whether case makes another name: either is borne."""
    (place / "Data").write_text("a")
    return "'Data' and 'data' are one name" if (place / "data").exists() else "'Data' and 'data' are two names"


def normal_form(place: Path) -> str:
    """A name is found in each normal form."""
    on_a_mac()
    composed, apart = (unicodedata.normalize(form, "ö") for form in ("NFC", "NFD"))
    (place / composed).write_text("a")
    (listed,) = (path.name for path in place.iterdir())
    return hold((place / apart).exists(), "listed as written" if listed == composed else "listed in another form")


def tmp_link(_place: Path) -> str:
    """Two folders of the system are links."""
    on_a_mac()
    real = [os.path.realpath(path) for path in ("/tmp", "/var")]  # noqa: S108 - nothing is written there
    return hold(real == ["/private/tmp", "/private/var"], ", ".join(real))


def hard_links(place: Path) -> str:
    """Whether the home has hard links: either is borne."""
    (place / "a").write_text("a")
    try:
        os.link(place / "a", place / "b")
    except OSError as error:
        return f"none: {errno.errorcode.get(error.errno or 0, error)}"
    return "it has"


def mtime(place: Path) -> str:
    """Times are kept in nanoseconds, or in whole seconds."""
    (place / "a").write_text("a")
    os.utime(place / "a", ns=(1, 1_700_000_000_123_456_789))
    rest = (place / "a").stat().st_mtime_ns % 10**9
    return hold(rest in (123_456_789, 123_456_000, 0), f"{rest} ns of 123456789")


def free_space(_place: Path) -> str:
    """What Python tells is what df tells."""
    found = shutil.disk_usage(Path.home()).free
    by_df = int(said("df", "-Pk", str(Path.home())).splitlines()[-1].split()[3]) * 1024
    return hold(abs(found - by_df) < 0.05 * max(found, by_df), f"{found >> 30} GiB, and df says {by_df >> 30}")


def open_flags(place: Path) -> str:
    """O_NOFOLLOW and O_DIRECTORY refuse."""
    (place / "a").write_text("a")
    (place / "link").symlink_to("a")
    first = fails_with(errno.ELOOP, os.open, place / "link", os.O_RDONLY | os.O_NOFOLLOW)
    return f"{first}, {fails_with(errno.ENOTDIR, os.open, place / 'a', os.O_RDONLY | os.O_DIRECTORY)}"


def tmpdir(_place: Path) -> str:
    """TMPDIR is the user's own, by the system's word."""
    on_a_mac()
    own = said("getconf", "DARWIN_USER_TEMP_DIR")
    given = os.environ.get("TMPDIR", "")
    differs = "" if given == own else ", TMPDIR differs"
    return hold(own.startswith("/var/folders/"), f"{own.count('/')} folders, {len(own)} bytes{differs}")


# -- locks


def flock_directory(place: Path) -> str:
    """A directory can be locked, the home itself too."""
    for path in (place, Path.home()):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        # A pull may hold the home just now.
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(handle)
    one, other = (os.open(place, os.O_RDONLY) for _handle in "ab")
    try:
        fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fails_with(errno.EAGAIN, fcntl.flock, other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(one)
        os.close(other)


def flock_close(place: Path) -> str:
    """A forked process holds a lock as well."""
    handle, other = (os.open(place, os.O_RDONLY) for _handle in "ab")
    fcntl.flock(handle, fcntl.LOCK_EX)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(handle)
    try:
        held = fails_with(errno.EAGAIN, fcntl.flock, other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(writing)
        os.waitpid(child, 0)
    fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    for each in (other, reading):
        os.close(each)
    return f"{held} while the child lives, free afterwards"


def flock_command(_place: Path) -> str:
    """A command of that name is missing."""
    on_a_mac()
    found = shutil.which("flock", path="/usr/bin:/bin:/usr/sbin:/sbin")
    return hold(found is None, found or "none")


# -- processes


@contextlib.contextmanager
def child(*words: str, program: str = sys.executable, **environment: str):
    """Run a process that waits, in a session of its own, and end it."""
    code = "import sys; sys.stdout.write('.'); sys.stdout.flush(); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([program, "-c", code, *words], env=environment or None, start_new_session=True, **pipes)
    try:
        process.stdout.read(1)
        yield process
    finally:
        process.kill()
        process.communicate()


def ps_columns(_place: Path) -> str:
    """Columns without headers."""
    with child("a-word") as process:
        printed = run("ps", "-ww", "-o", "stat=", "-o", "args=", "-p", str(process.pid)).stdout
    lines = printed.strip().splitlines()
    return hold(len(lines) == 1 and lines[0].split()[0][0] in "SRI" and "a-word" in lines[0], printed.strip()[:60])


def ps_own(_place: Path) -> str:
    """Processes without a terminal are listed, those of others are not."""
    with child("a-word") as process:
        rows = [line.split() for line in said("ps", "-xww", "-o", "pid=", "-o", "uid=", "-o", "args=").splitlines()]
        mine = any(row[0] == str(process.pid) for row in rows)
    others = {row[1] for row in rows} - {str(os.geteuid())}
    return hold(mine and (not others or not MAC), f"{len(rows)} of mine" + (f", and those of {others}" if others else ""))


def ps_wide(_place: Path) -> str:
    """No command line is cut."""
    with child("x" * 3000 + "end") as process:
        printed = said("ps", "-ww", "-o", "args=", "-p", str(process.pid))
    return hold(printed.endswith("end"), f"{len(printed)} characters")


def ps_environment(_place: Path) -> str:
    """The environment of a program that is not macOS' own is shown."""
    on_a_mac()
    programs = [path for path in ("/opt/homebrew/bin/python3", "/usr/local/bin/python3", sys.executable) if Path(path).exists()]
    seen = {}
    for program in programs:
        with child(program=program, A_NAME="a value", HOME="/h") as process:
            seen[program] = "A_NAME=a value" in said("ps", "-E", "-ww", "-o", "command=", "-p", str(process.pid))
    brewed = [shown for program, shown in seen.items() if not program.startswith(("/usr/bin/", "/Library/", "/Applications/"))]
    found = ", ".join(f"{program}: {'shown' if shown else 'kept back'}" for program, shown in seen.items())
    if not brewed:
        raise NotAsked(f"no program of Homebrew's is there ({found})")
    return hold(all(brewed), found)


def ps_state(_place: Path) -> str:
    """The states of a stopped process and of a zombie."""
    with child() as process:
        os.kill(process.pid, signal.SIGSTOP)
        stopped = within(lambda: said("ps", "-o", "stat=", "-p", str(process.pid)), "T")
        os.kill(process.pid, signal.SIGKILL)
        ended = within(lambda: said("ps", "-o", "stat=", "-p", str(process.pid)), "Z")
    return hold(stopped[:1] == "T" and ended[:1] == "Z", f"{stopped}, {ended}")


def within(ask, wanted: str) -> str:
    """Ask until an answer begins as wanted, for a few seconds."""
    end = time.monotonic() + 3
    while not ask().startswith(wanted) and time.monotonic() < end:
        time.sleep(0.05)
    return ask()


def ps_etime(_place: Path) -> str:
    """The age of a process."""
    with child() as process:
        printed = said("ps", "-o", "etime=", "-p", str(process.pid))
    return hold(re.fullmatch(r"(?:(?:\d+-)?\d\d:)?\d\d:\d\d", printed), printed)


def no_proc(_place: Path) -> str:
    """/proc is missing."""
    on_a_mac()
    return hold(not Path("/proc").exists(), "none")


def killpg_zombies(_place: Path) -> str:
    """A group of zombies may not be signalled."""
    on_a_mac()
    with child() as process:
        os.kill(process.pid, signal.SIGKILL)
        within(lambda: said("ps", "-o", "stat=", "-p", str(process.pid)), "Z")
        return fails_with(errno.EPERM, os.killpg, process.pid, signal.SIGTERM)


def kill_zero(_place: Path) -> str:
    """Signal 0 finds processes of others, and none where there is none."""
    with child() as process:
        pid = process.pid
    none = fails_with(errno.ESRCH, os.kill, pid, 0)
    return none if os.geteuid() == 0 else f"{none}, {fails_with(errno.EPERM, os.kill, 1, 0)} for process 1"


def rosetta_python(_place: Path) -> str:
    """Whether this Python is translated."""
    on_a_mac()
    found = run("sysctl", "-n", "sysctl.proc_translated")
    translated = found.stdout.strip()
    return hold(translated in ("0", "1") if ARM else found.returncode or translated == "1", translated or "unknown")


def open_files(_place: Path) -> str:
    """How many files a process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return hold(soft >= 256, f"{soft}, at most {'any number' if hard == resource.RLIM_INFINITY else hard}")


# -- time


def monotonic(_place: Path) -> str:
    """The clock that stands still during sleep."""
    clock = time.get_clock_info("monotonic").implementation
    return hold("mach_absolute_time" in clock or not MAC, clock)


def battery(_place: Path) -> str:
    """What pmset calls the power."""
    on_a_mac()
    first = said("pmset", "-g", "batt").partition("\n")[0]
    return hold(re.fullmatch(r"Now drawing from '(Battery Power|AC Power|UPS Power)'", first), first)


# -- launchd


def domain() -> str:
    """Return the domain of this user's agents."""
    on_a_mac()
    return f"gui/{os.getuid()}"


def gui_domain(_place: Path) -> str:
    """The domain is there while the user is logged in to the desktop."""
    code = run("launchctl", "print", domain()).returncode
    return hold(code in (0, 112, 125), f"exit code {code}" + ("" if code == 0 else ": this user is not logged in to the desktop"))


def not_found(_place: Path) -> str:
    """An agent that is not loaded."""
    done = run("launchctl", "print", f"{domain()}/laptop.containers.no-such-agent")
    if done.returncode in (112, 125):
        raise NotAsked("this user is not logged in to the desktop")
    return hold(done.returncode == 113, f"exit code {done.returncode}")


def print_disabled(_place: Path) -> str:
    """How disabled agents are listed."""
    printed = run("launchctl", "print-disabled", domain()).stdout
    rows = re.findall(r'^\s*"[^"]+" => (\w+)', printed, re.MULTILINE)
    if not rows:
        raise NotAsked("none is listed")
    known = {"enabled", "disabled", "true", "false"}
    return hold(set(rows) <= known, f"{len(rows)} rows: {', '.join(sorted(set(rows)))}")


def agent_environment(_place: Path) -> str:
    """The PATH that launchd gives."""
    printed = run("launchctl", "print", domain()).stdout
    found = re.search(r"PATH => (\S+)", printed)
    if found is None:
        raise NotAsked("launchctl prints none")
    return hold("/usr/bin:/bin" in found[1], found[1])


# -- privacy, sockets, names


def local_programs(*names: str) -> str:
    """Return where programs of the system are."""
    on_a_mac()
    found = [shutil.which(name, path=USUAL) for name in names]
    return hold(all(found), ", ".join(map(str, found)))


def sun_path(_place: Path) -> str:
    """How long the address of a socket may be."""
    limit, found = (104 if MAC else 108), {}
    with tempfile.TemporaryDirectory(prefix="f", dir="/tmp") as short:
        for size in (limit - 1, limit):
            path = f"{short}/{'x' * (size - len(short) - 1)}"
            with socket.socket(socket.AF_UNIX) as door:
                try:
                    door.bind(path)
                    found[size] = "taken"
                except OSError:
                    found[size] = "refused"
    return hold(list(found.values()) == ["taken", "refused"], ", ".join(f"{size} bytes: {word}" for size, word in found.items()))


def connect_errors(place: Path) -> str:
    """A plain file, and a socket without a listener."""
    (place / "file").write_text("a")
    with tempfile.TemporaryDirectory(prefix="f", dir="/tmp") as short:
        (Path(short) / "file").write_text("a")
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(f"{short}/door")
        words = []
        for name, number in (("file", errno.ENOTSOCK if MAC else errno.ECONNREFUSED), ("door", errno.ECONNREFUSED)):
            with socket.socket(socket.AF_UNIX) as guest:
                words.append(fails_with(number, guest.connect, f"{short}/{name}"))
    return ", ".join(words)


def resolver(_place: Path) -> str:
    """dscacheutil resolves a name."""
    on_a_mac()
    printed = said("dscacheutil", "-q", "host", "-a", "name", "localhost")
    return hold("127.0.0.1" in printed, printed[:60])


# -- the machine


def kernel_version(_place: Path) -> str:
    """The version of macOS by its kernel's."""
    on_a_mac()
    kernel, version = int(os.uname().release.partition(".")[0]), said("sw_vers", "-productVersion")
    expected = kernel + 1 if kernel >= 25 else kernel - 9
    return hold(version.partition(".")[0] == str(expected), f"Darwin {kernel}, macOS {version}")


def machine_name(_place: Path) -> str:
    """What the machine is called."""
    return hold(os.uname().machine in (("arm64", "x86_64") if MAC else ("aarch64", "x86_64")), os.uname().machine)


def chip(_place: Path) -> str:
    """What the chip is called."""
    on_a_mac()
    brand = said("sysctl", "-n", "machdep.cpu.brand_string")
    if "irtual" in brand:
        raise NotAsked(f"it is a VM: {brand}")
    return hold(re.search(r"Apple M\d+", brand) or not ARM, brand)


def memory(_place: Path) -> str:
    """The memory by two ways."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if not MAC:
        return f"{found >> 20} MiB"
    return hold(found == int(said("sysctl", "-n", "hw.memsize")), f"{found >> 20} MiB")


def macho(_place: Path) -> str:
    """The head of a program."""
    on_a_mac()
    head = Path(os.path.realpath("/bin/ls")).read_bytes()[:8]
    return hold(head[:4] in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"), head.hex(" "))


def docker_desktop(_place: Path) -> str:
    """Whether Docker Desktop is there."""
    on_a_mac()
    places = [str(path) for path in (Path("/Applications/Docker.app"), Path.home() / "Applications/Docker.app") if path.exists()]
    return ", ".join(places).replace(str(Path.home()), "~") or "it is not installed"


# -- Homebrew and the tools


def brew_prefix(_place: Path) -> str:
    """Where Homebrew is."""
    on_a_mac()
    prefix = said("brew", "--prefix")
    return hold(prefix == ("/opt/homebrew" if ARM else "/usr/local"), prefix)


def tools_of_apple(_place: Path) -> str:
    """Where the Command Line Tools are."""
    on_a_mac()
    done = run("xcode-select", "-p")
    return done.stdout.strip() if done.returncode == 0 else "they are not installed"


def version_of(program: str, pattern: str) -> str:
    """Return the first line of a program's --version, which must hold a pattern."""
    on_a_mac()
    if run("xcode-select", "-p").returncode and program != "/bin/bash":
        raise NotAsked("the Command Line Tools are not installed")
    done = run(program, "--version")
    first = (done.stdout or done.stderr).partition("\n")[0]
    return hold(re.search(pattern, first), first)


def bsd_tools(place: Path) -> str:
    """sed -i takes an ending."""
    (place / "a").write_text("1\n2\n")
    done = run("sed", "-i.bak", "1d", str(place / "a"))
    return hold(done.returncode == 0 and (place / "a").read_text() == "2\n" and (place / "a.bak").exists(), "sed -i.bak works")


CHECKS = {
    "rename-swap": rename_swap,
    "rename-excl": rename_excl,
    "fsync-drive": fsync_drive,
    "fsync-directory": fsync_directory,
    "seek-data": seek_data,
    "clonefile": clonefile,
    "clone-mode": clone_mode,
    "blocks-512": blocks,
    "name-max": name_max,
    "names-utf8": names_utf8,
    "case": case,
    "normal-form": normal_form,
    "tmp-link": tmp_link,
    "hard-links": hard_links,
    "mtime": mtime,
    "free-space": free_space,
    "open-flags": open_flags,
    "tmpdir": tmpdir,
    "flock-directory": flock_directory,
    "flock-close": flock_close,
    "flock-command": flock_command,
    "ps-columns": ps_columns,
    "ps-own": ps_own,
    "ps-wide": ps_wide,
    "ps-environment": ps_environment,
    "ps-state": ps_state,
    "ps-etime": ps_etime,
    "no-proc": no_proc,
    "killpg-zombies": killpg_zombies,
    "kill-zero": kill_zero,
    "rosetta-python": rosetta_python,
    "open-files": open_files,
    "monotonic": monotonic,
    "battery": battery,
    "gui-domain": gui_domain,
    "not-found": not_found,
    "print-disabled": print_disabled,
    "agent-environment": agent_environment,
    "notifications": lambda _place: local_programs("osascript"),
    "keychain-unlock": lambda _place: local_programs("security"),
    "rosetta-install": lambda _place: local_programs("softwareupdate"),
    "sun-path": sun_path,
    "connect-errors": connect_errors,
    "resolver": resolver,
    "kernel-version": kernel_version,
    "machine-name": machine_name,
    "chip": chip,
    "memory": memory,
    "macho": macho,
    "docker-desktop": docker_desktop,
    "brew-prefix": brew_prefix,
    "clt": tools_of_apple,
    "make-381": lambda _place: version_of("/usr/bin/make", r"GNU Make 3\.81"),
    "bash-32": lambda _place: version_of("/bin/bash", r"version 3\.2\."),
    "system-python": lambda _place: version_of("/usr/bin/python3", r"Python 3\.9\."),
    "bsd-tools": bsd_tools,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
