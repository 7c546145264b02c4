# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry logins of docker and of nerdctl in a profile, and credential helpers. Never keeps a token."""
