# SPDX-License-Identifier: GPL-3.0-or-later
"""docker contexts: which are there, which are asked for, and the way between. Writes through the docker command only."""
