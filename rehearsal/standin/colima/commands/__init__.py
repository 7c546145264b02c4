# SPDX-License-Identifier: GPL-3.0-or-later
"""What colima's commands do, from their command line to the virtual machine."""
