# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving images and volumes from one docker engine to another, so that nothing is lost. Knows no context and no setting."""
