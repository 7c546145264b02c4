# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile that goes on with another runtime: out into an archive, the old VM kept aside, in again. Makes no VM."""
