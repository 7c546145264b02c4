# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs under the workstation: how each tells its version, and what is known of that version. Installs nothing."""
