"""The decisions: what is said or done next, and the doing.

In the order a step travels:

``holding``       what each kind of hold stops (pure)
``workdays``      working days and hours of a market (pure)
``policy``        the next step, as a function of the facts (pure)
``sharding``      parts of the book that workers take side by side (pure)
``models``        the rows
``kinds``         the events this room writes
``policy_file``   a policy as a file: read, checked, written (pure)
``writing``       policies as rows: drafted, published, exported
``describing``    a policy in plain words (pure)
``policy_forms``, ``admin``  policies in the admin, and what left the house
``rulebook``      policy versions, read for the decision
``reading``       the facts that decisions rest on, a chunk of accounts at a time
``cases``         episodes: closed, and what closing undoes
``decide``        the day's decisions for many accounts at once
``gate``          may this person be contacted now, on this channel (pure)
``contact``       the gate, asked with the facts of one account
``wording``       a notice in the customer's language (pure), with ``wording_facts``, ``wording_texts``,
                  ``wording_page``, ``text_messages`` and the texts in ``wordings/``
``letters``       a letter, typeset with ``letterhead/`` (pure)
``composing``     a notice at the moment it leaves
``gateways``      the ways out of the house (pure)
``outbox``        their local counterpart
``deliver``       what is due leaves the house, after a last look at the facts
``receipts``      what the providers and the network tell us afterwards
``book``          this room's files
"""
