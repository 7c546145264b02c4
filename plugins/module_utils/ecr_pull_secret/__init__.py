# SPDX-License-Identifier: GPL-3.0-or-later
"""The image pull secret in the namespaces of a cluster, and its service accounts. Reads no content of other secrets."""
