"""The facts: who owes what, since when, in which state.

In the order a bill travels:

``facts``      what the pure modules read: frozen records of bills, credits and disputes
``money``      exact amounts, currencies, splitting, rounding (pure)
``allocation`` which money paid which bill (pure)
``models``     the rows
``events``     everything said, done, seen or refused
``holds``      reasons to stop some effects for a time
``status``     the one door to an account's and a service's state
``settling``   open amounts, journal and status brought to what the facts say
``position``   what an account owes as of any day
``importing``  the operator's files become facts
``audit``      the seal over the events, and its proof
"""
