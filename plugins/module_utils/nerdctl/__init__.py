# SPDX-License-Identifier: GPL-3.0-or-later
"""The nerdctl command on the host: wrappers bound to a profile, and shell completion."""
