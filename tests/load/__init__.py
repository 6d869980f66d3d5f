"""Many agents on one queue, over HTTP, against a desk that runs.

``__main__``     the command behind ``make load``
``people``       agents and accounts for it, and what is left of them afterwards
``locustfile``   what an agent does
``served``       what was served, beside what the audit trail says
"""
