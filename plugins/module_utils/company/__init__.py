# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a company as values: authorities, proxy, mirrors, name servers, routes. Knows no VM and no docker."""
