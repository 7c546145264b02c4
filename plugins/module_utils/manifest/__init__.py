# SPDX-License-Identifier: GPL-3.0-or-later
"""What has become of each resource that moves or is kept: the only evidence of arrival. Knows no engine and moves nothing."""
