# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle for those who help: what runs did, what the doctor found, settings and logs, without secrets and names of people."""
