# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests share: scenarios, faults, and real engines on request."""
