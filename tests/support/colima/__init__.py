# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of profiles share: a laptop with the stand-in colima, random histories of profiles, and a model of the outcome."""
