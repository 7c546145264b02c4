# SPDX-License-Identifier: GPL-3.0-or-later
"""The snippets of a page of the documentation."""

from __future__ import annotations

from pathlib import Path


def snippets(page: Path, language: str) -> list[str]:
    """Return what stands in a page's code blocks of a language."""
    return [block.partition("```")[0] for block in page.read_text().split(f"```{language}\n")[1:]]


def snippet(page: Path, language: str, holds: str) -> str:
    """Return the first of them that holds a text."""
    return next(text for text in snippets(page, language) if holds in text)
