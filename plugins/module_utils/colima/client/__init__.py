# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs colima and limactl, what their failures mean, and who else is using them. Decides nothing."""
