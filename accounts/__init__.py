"""The facts: who owes what, since when, in which state.

In the order a bill travels:

``facts``         what the pure modules read: plain records of bills, credits and disputes (pure)
``money``         exact amounts, currencies, splitting (pure)
``refusals``      the one family of answers that say no (pure)
``allocation``    which money paid which bill (pure)
``models``        the rows
``bulk``          many rows at once, written; ``at_once`` several short lists, read with one question
``business_day``  what day the desk believes it is
``importing``     the operator's files become facts
``book``          this room's files
``events``        everything said, done, seen or refused
``status``        the one door to an account's and a service's state
``taking_effect`` on which days written facts begin to count
``position``      what accounts owe as of any day
``write_offs``    write-offs and recoveries in the journal
``settling``      open amounts, journal and status brought to what the facts say
``holds``         reasons to stop some effects for a time
``wishes``        what customers want of us, and who speaks for them
``sensitive_words``  words that ask for care (pure)
``keeping``       services kept from limits for a time
``journals``      the chart of accounts, and the export
``audit``         the seal over the events, and its proof; ``audit_heads`` heads of it, given out and checked
``admin``         the facts, to look at
"""
