# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfig files as people write them: comments, anchors, quoted numbers, several users, entries in any order and style."""

from __future__ import annotations

import random
from dataclasses import dataclass

OURS = "colima-k8s"
SCALARS = ('"12345e6"', '"123e456"', '"y"', "'no'", '"0x1f"', "'it''s'", "plain", '"a # b"', "ünï", '"\\u00e9\\t"', "a:b", "007x")
LISTS = ("clusters", "contexts", "users")


@dataclass(frozen=True)
class Line:
    """One line of a file. fixed: only the user may change it."""

    text: str
    fixed: bool = True


class Writer:
    """Writes one file, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.anchors = 0

    def file(self) -> tuple[str, list[str]]:
        """Return the text and the lines that stay whatever becomes of our entry."""
        lines = [Line("---")] if self.chance(0.2) else []
        lines += [Line("apiVersion: v1"), Line("kind: Config")]
        sections = list(LISTS)
        self.random.shuffle(sections)
        for section in sections:
            lines += [*self.comments(0), *self.section(section)]
        if self.chance(0.7):
            lines.insert(len(lines) if self.chance(0.5) else 2, Line(self.current(), fixed=False))
        lines += self.comments(0)
        end = self.random.choice(["\n", "\n", "\n", "\r\n"])
        text = end.join(line.text for line in lines) + (end if self.chance(0.8) else "")
        return text, [line.text for line in lines if line.fixed]

    def chance(self, share: float) -> bool:
        """Whether something that happens so often happens now."""
        return self.random.random() < share

    def scalar(self) -> str:
        """Return a text that one or another version of YAML may take for something else."""
        return self.random.choice(SCALARS)

    def current(self) -> str:
        """Return the line of the current context."""
        return self.random.choice(["current-context: w0", f"current-context: {OURS}", 'current-context: ""', "current-context:"])

    def comments(self, indent: int) -> list[Line]:
        """Return some comments and empty lines."""
        texts = [f"{' ' * indent}# note {self.random.randrange(99)}: 'x", "", f"{' ' * indent}#- name: {OURS}"]
        return [Line(self.random.choice(texts)) for _ in range(self.random.choice([0, 0, 0, 1, 2]))]

    def section(self, plural: str) -> list[Line]:
        """Return a list of entries, ours perhaps among them, or none."""
        if self.chance(0.1):
            return (
                [Line(f"{plural}:{self.random.choice(['', ' []', ' null', '   # none'])}", fixed=False)]
                if self.chance(0.7)
                else []
            )
        indent = self.random.choice([0, 0, 2])
        entries = [self.entry(plural, f"w{number}", indent) for number in range(self.random.randint(0, 4))]
        if self.chance(0.5):
            ours = [Line(line.text, fixed=False) for line in self.entry(plural, OURS, indent, plain=True)]
            entries.insert(self.random.randint(0, len(entries)), ours)
        lines = [line for entry in entries for line in [*self.comments(indent), *entry]]
        return [Line(f"{plural}:{'' if entries else ' []'}", fixed=False), *lines]

    def entry(self, plural: str, name: str, indent: int, plain: bool = False) -> list[Line]:
        """Return one entry in one of the styles in which people write them. plain: without comments of its own."""
        kind, pad = plural[:-1], " " * indent
        if self.chance(0.15):
            return [Line(f"{pad}- {{name: {name}, {kind}: {{{', '.join(self.fields(kind, flow=True))}}}}}")]
        body = [f"{pad}    {field}" for field in self.fields(kind)]
        head = f"{kind}:"
        if not plain and self.chance(0.2):
            self.anchors += 1
            head += f" &a{self.anchors}"
        named = self.random.choice([name, f'"{name}"', f"{name}  # mine"])
        if self.chance(0.5):
            lines = [f"{pad}- name: {named}", f"{pad}  {head}", *body]
        else:
            lines = [f"{pad}- {head}", *body, f"{pad}  name: {named}"]
        written = [Line(line) for line in lines]
        if plain or any(line.endswith(("|-", ">-")) for line in lines):
            return written
        return [part for line in written for part in [line, *self.comments(indent + 2)[:1]]]

    def fields(self, kind: str, flow: bool = False) -> list[str]:
        """Return the lines inside an entry, or its pairs for one line."""
        if kind == "cluster":
            found = ["server: https://10.0.0.1:6443", "insecure-skip-tls-verify: true"]
        elif kind == "context":
            found = ["cluster: w0", "user: w1", f"namespace: {self.scalar()}"]
        else:
            found = [f"username: {self.scalar()}", f"password: {self.scalar()}"]
        found = self.random.sample(found, self.random.randint(1, len(found)))
        if kind == "user" and not flow and self.chance(0.4):
            found += self.random.choice(
                [
                    ["token: |-", f"  {self.scalar()}", "", "  second"],
                    ["token: &t >-", "  folded", "  text", "tokenFile: *t"],
                    [
                        "exec:",
                        "  apiVersion: client.authentication.k8s.io/v1",
                        "  command: aws",
                        "  args:",
                        "  - '1'",
                        "  env: []",
                    ],
                ]
            )
            self.anchors += 1
            found = [line.replace("&t", f"&t{self.anchors}").replace("*t", f"*t{self.anchors}") for line in found]
        return found
