# SPDX-License-Identifier: GPL-3.0-or-later
"""The clone of a laptop that pulls: it only goes forward, takes nothing before it was verified, and loses no work."""

from __future__ import annotations

from pathlib import Path

from laptop import why_unreachable
from programs import TIMED_OUT, Failure, Skip, git

TRANSFER_SECONDS = 900.0
BRANCHES = "refs/heads/"
# What was fetched, and what was last checked out here.
NEXT, PULLED = "refs/laptop.containers/next", "refs/laptop.containers/pulled"


def look_up(repository: str, version: str) -> str:
    """Return the full name of a repository's branch or tag; for an empty version, of the repository's own branch."""
    wanted = [f"{BRANCHES}{version}", f"refs/tags/{version}"] if version else ["HEAD"]
    done = git("ls-remote", "--symref", "--", repository, *wanted)
    if done.code:
        reason = why_unreachable(repository)
        if reason or done.code == TIMED_OUT:
            raise Skip(f"no network: {reason or done.first}")
        raise Failure(f"Could not read repository '{repository}': {done.first}. Try 'git ls-remote {repository}'.")
    rows = [line.split("\t") for line in done.output.splitlines() if "\t" in line]
    names = [name if version else target.removeprefix("ref: ") for target, name in rows if name in wanted]
    known = [name for name in names if name.startswith("refs/")]
    if not known:
        what = f"branch or tag '{version}'" if version else "the repository's own branch"
        raise Failure(f"Could not find {what} in '{repository}': it is not there. Correct pull_timer_version.")
    return known[0]


class Clone:
    """A clone of the project at a place."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def fetch(self, repository: str, reference: str) -> None:
        """Get a branch or tag, without touching a file of the project."""
        if not (self.place / ".git").exists():
            if reason := self._why_unfit():
                raise Failure(f"Could not clone into '{self.place}': {reason}. Choose another pull_timer_project.")
            self._ask("init", "--quiet")
            self._ask("remote", "add", "origin", repository)
        self._ask("fetch", "--quiet", "--no-tags", "--", repository, f"+{reference}:{NEXT}", seconds=TRANSFER_SECONDS)

    def _why_unfit(self) -> str:
        """Make the place, and return why no clone can be made there; empty where one can."""
        try:
            self.place.mkdir(parents=True, exist_ok=True)
            return "it is neither empty nor a clone" if any(self.place.iterdir()) else ""
        except OSError as error:
            return (error.strerror or str(error)).lower()

    def verify(self, signers: str) -> None:
        """Refuse what was fetched unless a known key has signed it: the commit, or the tag where it is an object of its own."""
        known = []
        if signers:
            file = Path(signers).expanduser()
            if not _lists_anyone(file):
                raise Failure(
                    f"Could not verify the commit: '{file}' lists no one. Name those who may sign in pull_timer_signers."
                )
            # Only the keys of the file count. The keys in the user's own ring were not chosen for this.
            known = ["-c", f"gpg.ssh.allowedSignersFile={file}", "-c", "gpg.format=ssh", "-c", "gpg.program=/nonexistent/gpg"]
            known += ["-c", "gpg.openpgp.program=/nonexistent/gpg", "-c", "gpg.x509.program=/nonexistent/gpgsm"]
        done = git(*known, "-C", str(self.place), f"verify-{self._ask('cat-file', '-t', NEXT)}", NEXT)
        if done.code:
            reason = done.last if done.said.strip() else "it is not signed"
            raise Failure(f"Could not take commit {self._commit(NEXT)[:12]}: {reason}. Nothing of it was checked out.")

    def check_out(self, reference: str) -> str:
        """Let the project's files be those of what was fetched, and return its commit. Skips where someone works in the clone."""
        new, now = self._commit(NEXT), self._commit("HEAD")
        branch = git("-C", str(self.place), "symbolic-ref", "--quiet", "--short", "HEAD").output.strip()
        wanted = reference.removeprefix(BRANCHES) if reference.startswith(BRANCHES) else ""
        if now and self._ask("status", "--porcelain", "--untracked-files=no"):
            raise Skip(f"files of {self.place} were changed")
        if now and branch != wanted and now != self._commit(PULLED):
            raise Skip(f"{f'branch {branch}' if branch else 'a commit'} is checked out in {self.place}, and not by a pull")
        if not wanted:
            self._ask("checkout", "--quiet", "--detach", new)
        else:
            self._must_go_forward(wanted, new)
            if now and branch == wanted:
                self._ask("merge", "--quiet", "--ff-only", new)
            else:
                self._ask("checkout", "--quiet", "-B", wanted, new)
                self._ask("config", f"branch.{wanted}.remote", "origin")
                self._ask("config", f"branch.{wanted}.merge", reference)
        self._ask("update-ref", PULLED, new)
        return new

    def _must_go_forward(self, branch: str, new: str) -> None:
        """Refuse a branch that does not go on from the one here: history was rewritten, or the clone has commits of its own."""
        own = self._commit(f"{BRANCHES}{branch}")
        if not own or git("-C", str(self.place), "merge-base", "--is-ancestor", own, new).code == 0:
            return
        if own != self._commit(PULLED):
            raise Skip(f"branch {branch} of {self.place} has commits of its own")
        raise Failure(
            f"Could not go from commit {own[:12]} to {new[:12]}: branch '{branch}' of the repository does not go on from it. "
            f"If that is meant, run 'git -C {self.place} reset --hard {new[:12]}'."
        )

    def _commit(self, name: str) -> str:
        """Return the commit that a name stands for; empty for a name that there is not."""
        done = git("-C", str(self.place), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return done.output.strip() if done.code == 0 else ""

    def _ask(self, *words: str, seconds: float = 60.0) -> str:
        """Run git in the clone, and return what it said."""
        done = git("-C", str(self.place), *words, seconds=seconds)
        if done.code:
            raise Failure(f"Could not bring '{self.place}' up to date: git {words[0]}: {done.first}. Look at 'git status' there.")
        return done.output.strip()


def _lists_anyone(file: Path) -> bool:
    """Whether a file of allowed signers has an entry."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)
