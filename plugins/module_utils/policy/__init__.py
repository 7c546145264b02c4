# SPDX-License-Identifier: GPL-3.0-or-later
"""What a team allows its laptops: rules, and whether a value keeps them. Pure; knows no file, no role and no laptop."""
