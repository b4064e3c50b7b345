"""Examines a model: how large it is, what this machine has room for, whether its files agree, and whether it works."""

from __future__ import annotations

from engine.doctor.examination import examine
from engine.doctor.facts import Check, Device, Fit, Memory, Part, Report, Status

__all__ = ["Check", "Device", "Fit", "Memory", "Part", "Report", "Status", "examine"]
