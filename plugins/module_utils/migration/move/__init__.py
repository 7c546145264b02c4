# SPDX-License-Identifier: GPL-3.0-or-later
"""The move of a profile to another runtime: out into an archive, the old VM kept aside, in again. Makes no VM."""
