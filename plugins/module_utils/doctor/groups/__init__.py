# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks, a file or two for each group. A file knows what is healthy; how to read it, the other rooms know."""
