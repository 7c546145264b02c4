# SPDX-License-Identifier: GPL-3.0-or-later
"""ECR hosts, registries, tokens and how long a token lives. Knows nothing of where a token is used."""
