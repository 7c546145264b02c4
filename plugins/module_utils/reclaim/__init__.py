# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running profile could do without: images, build cache, containers and volumes. Starts and stops no VM."""
