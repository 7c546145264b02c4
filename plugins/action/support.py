# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See converge.py."""

from .converge import ActionModule

__all__ = ["ActionModule"]
