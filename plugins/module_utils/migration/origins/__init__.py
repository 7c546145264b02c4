# SPDX-License-Identifier: GPL-3.0-or-later
"""What is moved from: knows how engines of each kind are read, and refuses to know what goes where."""
