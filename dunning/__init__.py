"""The decisions: what is said or done next, and the doing.

In the order a step travels:

``holding``       what each kind of hold stops (pure), with ``hold_rules``: the matrix as the admin edits it
``workdays``      working days and hours of a market (pure)
``policy``        the next step, as a function of the facts (pure)
``sharding``      parts of the book that workers take side by side (pure)
``models``        the rows
``kinds``         the events this room writes
``policy_file``   a policy as a file: read, checked, written (pure)
``writing``       policies as rows: drafted, published, exported
``describing``    a policy in plain words (pure)
``policy_forms``  policies as forms
``previewing``    a notice as it would read for one account
``rulebook``      policy versions, read for the decision
``reading``       the facts that decisions rest on, a chunk of accounts at a time
``segment_rules``, ``segments``  rules over what is known of an account (pure), and which accounts meet them
``trial_statistics``  the arithmetic of experiments (pure)
``experiments``   which arm an account gets
``choosing``      which policy an account gets
``cases``         episodes: closed, and what closing undoes
``day``           what a day's decisions on a chunk of accounts come to, before anything is written
``decide``        the day's decisions, made and written for many accounts at once
``simulation``    the same days ahead, read and not written; ``dry_run_results`` what was found
``re_entry``      where a case goes on after a broken promise or plan
``migrating``     open cases moved to another version
``experiment_course``, ``experiment_results``  experiments started, watched and ended, and what came of them
``policy_results``  what customers said after the notices of a policy, and what checks found in them
``gate``          may this be done now: rules as data, one decision for people and machines (pure)
``rule_packs``    the packs in force: shipped, chosen for a market, changed here; ``pack_words`` a pack to read
``contact_facts``, ``limit_facts``  what the gate is told of customers, and of a limit
``contact``       the gate, asked with the facts of accounts; what it said is kept
``best_moment``, ``habits``  when and how a customer answers (pure), and counted
``wording``       a notice in the customer's language (pure), with ``wording_facts``, ``wording_texts``,
                  ``wording_page``, ``text_messages`` and the texts in ``wordings/``
``notice_texts``  texts as an admin writes them, over those that ship; ``notice_samples`` what they are tried on
``tone``, ``readability``  how a text speaks and how easily it is read (pure); ``text_remarks`` said while it is written
``letters``       a letter, typeset with ``letterhead/`` (pure)
``confirming``    a confirmation of what was agreed: a minute later, as it stands then, or never
``composing``     a notice at the moment it leaves
``pay_links``     what is open and how to pay it, sent because an agent chose to
``gateways``      the ways out of the house (pure)
``outbox``        their local counterpart
``mail_provider`` e-mail through a provider's own interface
``roads``         the gateways of a pass; ``pacing`` how fast, ``channel_health`` how they are
``handing_over``  the claim, the intent, the call, and what its end means for a repeat; ``print_runs`` letters together
``leaving_notices``, ``leaving_orders``  whether a notice, or an order, may still leave
``deliver``       what is due leaves the house, after a last look at the facts
``resending``     what did not arrive, sent again by a person
``receipts``      what the providers and the network tell us afterwards
``listening``     a line kept open for receipts and replies
``understanding`` what a customer's message asks for, from its words (pure)
``inbound``       a message received; ``inbound_senders`` whose it is, ``inbound_acts`` what is done at once
``asking``        what was asked of the network beside what it did
``placements``    what an agency is told, answers and earns
``book``          this room's files
``text_forms``    texts of notices as forms
``admin``, ``pack_admin``, ``text_admin``, ``policy_admin``, ``dry_run_admin``, ``segment_admin``,
                  ``experiment_admin``, ``hold_admin``, ``agency_admin``  all of it in the admin
"""
