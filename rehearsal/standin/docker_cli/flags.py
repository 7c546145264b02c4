# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as Go's pflag and cobra read it: interspersed flags, their usage errors and exit codes."""

from __future__ import annotations

Kinds = dict[str, str]

USAGE_ERROR = 125
TRUE_WORDS = {"1", "t", "T", "TRUE", "true", "True"}
FALSE_WORDS = {"0", "f", "F", "FALSE", "false", "False"}


class Exit(Exception):
    """Ends the command: text goes to stderr, code is the exit code."""

    def __init__(self, text: str = "", code: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class Command:
    """One command: its path, the rest of its usage line, its flags and how many arguments it takes.

    kinds maps a flag's name to bool, string, list, csv or map; shorts maps a letter to a name.
    """

    def __init__(
        self,
        path: str,
        use: str = "",
        kinds: Kinds | None = None,
        shorts: Kinds | None = None,
        args: tuple[int, int | None] = (0, None),
        *,
        plain_count: bool = False,
    ) -> None:
        self.path = path
        self.use = use
        self.kinds = {**(kinds or {}), "help": "bool"}
        self.shorts = shorts or {}
        self.args = args
        self.plain_count = plain_count

    def usage(self, message: str, code: int, verb: str = "Run") -> Exit:
        line = f"{self.path} {self.use}".rstrip()
        return Exit(f"{message}\n\nUsage:  {line}\n\n{verb} '{self.path} --help' for more information\n", code)

    def parse(self, argv: list[str], stop_at_argument: bool = False) -> tuple[dict[str, object], list[str]]:
        """Return the flags that were given and the arguments; stop_at_argument is for global flags."""
        options: dict[str, object] = {}
        rest: list[str] = []
        queue = list(argv)
        while queue:
            word = queue.pop(0)
            if word == "--":
                rest += queue
                break
            if word.startswith("--"):
                self._long(word, queue, options)
            elif word.startswith("-") and word != "-":
                self._shorts(word, queue, options)
            else:
                rest.append(word)
                if stop_at_argument:
                    rest += queue
                    break
        return options, rest

    def _long(self, word: str, queue: list[str], options: dict[str, object]) -> None:
        name, has_value, value = word[2:].partition("=")
        kind = self.kinds.get(name)
        if kind is None:
            raise self.usage(f"unknown flag: --{name}", USAGE_ERROR)
        if not has_value and kind == "bool":
            value = "true"
        elif not has_value:
            if not queue:
                raise self.usage(f"flag needs an argument: --{name}", USAGE_ERROR)
            value = queue.pop(0)
        self._set(name, value, f"--{name}", options)

    def _shorts(self, word: str, queue: list[str], options: dict[str, object]) -> None:
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            name = self.shorts.get(letter, "help" if letter == "h" else "")
            if not name:
                raise self.usage(f"unknown shorthand flag: '{letter}' in {word}", USAGE_ERROR)
            shown = f"-{letter}, --{name}"
            if self.kinds[name] == "bool":
                if letters.startswith("="):
                    self._set(name, letters[1:], shown, options)
                    return
                self._set(name, "true", shown, options)
                continue
            if not letters and not queue:
                raise self.usage(f"flag needs an argument: '{letter}' in {word}", USAGE_ERROR)
            self._set(name, letters.removeprefix("=") if letters else queue.pop(0), shown, options)
            return

    def _set(self, name: str, value: str, shown: str, options: dict[str, object]) -> None:
        kind = self.kinds[name]
        if kind == "bool":
            if value not in TRUE_WORDS | FALSE_WORDS:
                reason = f'strconv.ParseBool: parsing "{value}": invalid syntax'
                raise self.usage(f'invalid argument "{value}" for "{shown}" flag: {reason}', USAGE_ERROR)
            options[name] = value in TRUE_WORDS
        elif kind == "map":
            pairs = dict(options.get(name, {}))  # type: ignore[call-overload]
            for pair in split_csv(value):
                key, is_pair, text = pair.partition("=")
                if not is_pair:
                    message = f'invalid argument "{value}" for "{shown}" flag: {pair} must be formatted as key=value'
                    raise self.usage(message, USAGE_ERROR)
                pairs[key] = text
            options[name] = pairs
        elif kind in ("list", "csv"):
            given = options.setdefault(name, [])
            assert isinstance(given, list)
            given.extend(split_csv(value) if kind == "csv" else [value])
        else:
            options[name] = value

    def check_count(self, rest: list[str]) -> None:
        """Refuse too few or too many arguments in cobra's or docker's own words."""
        least, most = self.args
        if least <= len(rest) and (most is None or len(rest) <= most):
            return
        if self.plain_count:
            raise Exit(f"accepts {least} arg(s), received {len(rest)}\n")
        verb = "Run"
        if most == 0:
            demand = "accepts no arguments"
        elif most is None:
            demand, verb = f"requires at least {_count(least)}", "See"
        elif least == most:
            demand = f"requires {_count(least)}"
        elif least == 0:
            demand = f"requires at most {_count(most)}"
        else:
            demand = f"requires at least {least} and at most {_count(most)}"
        raise self.usage(f"docker: '{self.path}' {demand}", 1, verb)


def _count(number: int) -> str:
    return f"{number} argument" + ("" if number == 1 else "s")


def split_csv(value: str) -> list[str]:
    """Split one line of comma-separated values; quotes are rare enough to load csv only for them."""
    if not value:
        return []
    if '"' not in value:
        return value.split(",")
    import csv

    return next(iter(csv.reader([value])), [])
