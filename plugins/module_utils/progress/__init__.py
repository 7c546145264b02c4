# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees while a run works, and in the summary at its end. Plans nothing."""
