# SPDX-License-Identifier: GPL-3.0-or-later
"""An interval as times of day, in the words of launchd and of systemd. Pure.

Only calendars make up for what a machine slept through: a StartInterval that falls into sleep is dropped (launchd.plist(5)), and
the clock of OnUnitActiveSec stands still meanwhile (systemd.timer(5)). Neither system's calendar knows intervals, so each day is
counted out from midnight; the step over midnight may be a shorter one.
"""

from __future__ import annotations

HOUR, DAY = 60, 24 * 60


def times_of_day(minutes: int) -> tuple[tuple[int | None, int], ...]:
    """Return hour and minute of each start; no hour stands for every hour."""
    if HOUR % minutes == 0:
        return tuple((None, minute) for minute in range(0, HOUR, minutes))
    return tuple(divmod(moment, HOUR) for moment in range(0, DAY, minutes))


def launchd_calendar(minutes: int) -> list[dict[str, int]]:
    """Return the value of StartCalendarInterval."""
    return [{"Minute": minute} if hour is None else {"Hour": hour, "Minute": minute} for hour, minute in times_of_day(minutes)]


def systemd_calendars(minutes: int) -> list[str]:
    """Return the values of OnCalendar, as few as there can be."""
    times = times_of_day(minutes)
    if times[0][0] is None:
        return [f"*:{_listed([minute for _hour, minute in times])}"]
    by_minute: dict[int, list[int]] = {}
    by_hour: dict[int, list[int]] = {}
    for hour, minute in times:
        by_minute.setdefault(minute, []).append(hour or 0)
        by_hour.setdefault(hour or 0, []).append(minute)
    if len(by_minute) <= len(by_hour):
        return [f"{_listed(hours)}:{minute:02}" for minute, hours in sorted(by_minute.items())]
    return [f"{hour:02}:{_listed(listed)}" for hour, listed in sorted(by_hour.items())]


def _listed(numbers: list[int]) -> str:
    return ",".join(f"{number:02}" for number in numbers)
