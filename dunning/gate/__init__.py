"""May this be done now: one decision for people and machines, from rules as data. Pure.

``decision``       what the gate answers, and how several answers become one
``zones``          where a customer may be
``jurisdictions``  where they are at law
``facts``          what the gate is told
``calendars``      days as rules count them
``checks``         the questions that rules ask
``packs``          rules as data, with dates
``deciding``       every rule asked, the strictest answer given
``examples``       the examples that stand beside the rules, run
"""
