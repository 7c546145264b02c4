# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving what runs in another engine's Kubernetes into a profile's. Only reads the old cluster; knows no archive."""
