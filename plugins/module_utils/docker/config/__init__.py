# SPDX-License-Identifier: GPL-3.0-or-later
"""docker's config.json and what belongs to it: credential helpers, plugins, the environment file. Keeps unknown keys."""
