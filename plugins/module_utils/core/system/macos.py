# SPDX-License-Identifier: GPL-3.0-or-later
"""What macOS calls the places of its own settings, for what a person has to do there (the names since macOS 13)."""

from __future__ import annotations

LOGIN_ITEMS = "System Settings > General > Login Items"
STORAGE = "System Settings > General > Storage"
FILES = "System Settings > Privacy & Security > Files & Folders"
# Installs it without a window; where it is there already, nothing changes.
INSTALL_ROSETTA = "softwareupdate --install-rosetta --agree-to-license"
UNLOCK_KEYCHAIN = "security unlock-keychain"


def asks_host(name: str) -> str:
    """Return the command that resolves a name as programs do; nslookup asks a DNS server past what macOS itself knows."""
    return f"dscacheutil -q host -a name {name}"
