# SPDX-License-Identifier: GPL-3.0-or-later
"""How examinations are shown: on a terminal, as a document, as a page, against an earlier one. Reads no laptop."""
