"""What is wrong in a drill and how it feels: scenarios, the service that suffers, its metrics. Pure: no clock, no I/O.

`scenario.py` reads the data files, `service.py` is the service under load, `traffic.py` what it shows to Prometheus.
"""
