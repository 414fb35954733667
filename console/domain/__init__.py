"""The rules of an incident, pure: no I/O, no clock, no asyncio."""
