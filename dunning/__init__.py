"""The decisions: what is said or done next, and the doing.

In the order a step travels:

``holding``    what each kind of hold stops (pure)
``workdays``   working days and hours of a market (pure)
``policy``     the next step, as a function of the facts (pure)
``gate``       may this person be contacted now, on this channel (pure)
``wording``    a notice in the customer's language (pure)
``letters``    a letter, typeset
``gateways``   the ways out of the house
``models``     the rows
``policy_file`` a policy as a file: read, checked, written (pure)
``writing``    policies as rows: drafted, published, exported
``describing`` a policy in plain words (pure)
``rulebook``   policy versions, read for the decision
``cases``      episodes: opened, closed, what exit undoes
``decide``     the day's decisions for many accounts at once
``contact``    the gate, asked with the facts of one account
``deliver``    what is due leaves the house, after a last look at the facts
``receipts``   what the providers and the network tell us afterwards
"""
