# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker command, its engines, plugins and sockets. Knows nothing of who runs the engine."""
