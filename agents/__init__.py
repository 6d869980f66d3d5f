"""The people: who talks to whom, what was agreed.

In the order of an agent's day:

``models``        the rows
``kinds``         the events this room writes
``rights``        who may do and see what
``priority``      why an account is on top (pure); ``chances`` how likely a call helps (pure), ``call_effects`` counted
``scoring``       open items scored from today's facts; ``orders`` as their team wants them ordered
``skills``        what an agent is for
``queue``         the leased queue: claim, keep, release, complete
``lost_claims``   who lost an account to whom, told once
``steering``      a supervisor's hand on the queue, ``bulk_steering`` on a whole list; ``orphans`` in nobody's hands
``floor``         what is going on now; ``watching`` one look for all who watch; ``streams`` what is pushed to browsers
``team_messages`` a word from a supervisor to a team, until they saw it
``timeline``      an account's history, merged; ``event_words`` kinds of events in words, ``audit_words`` all they say
``audit_search``  the whole history, searched
``account_file``, ``account_print``  everything about one account for a regulator or a court, and on paper
``reasons``       why a bill was not paid, in codes and words; ``words`` codes and choices as a page says them
``identity``      who is on the line: details that match, before anything is said
``scripting``     what to say, for the situation and in the customer's language
``calls``         conversations and what came of them
``dialling``      a call from dialling to its logged outcome, and what the telephone system tells
``call_forms``    what is typed about a call
``offering``      the next account whose customer may be called
``answers``       what customers write, as agents work it
``habits``        the calls among what customers answer
``card_numbers``  no card number is kept: refused, and said back masked (pure)
``links``         accounts that belong together: seen, taken and finished as one
``covered``       which bills a promise or plan is about
``promises``      what a customer undertakes to pay, kept or broken
``instalments``   splitting a debt over dates (pure)
``undertakings``  no bill in two agreements
``authority``     what a person may agree to, asked of the rule packs; ``second_words`` what waits for somebody else's
``plans``         instalment plans; ``consolidating`` one over linked accounts
``extensions``    time to pay
``settlements``   less than what is owed, taken for all of it
``downgrades``    a cheaper product, asked for and answered
``hardship``      everything paused until somebody looks again, with a token where one can be paid
``budgets``       what a household has and needs, and what of it could be ours
``offers``        what may be offered, with reasons for what not
``reading_back``  what is read to a customer before they agree (pure), with the words in ``read_aloud/``
``agreement_forms``  what is typed while something is agreed
``approvals``     everything that waits for somebody's word, with what to know of it (``approval_facts``)
``delegations``   who decides in whose place
``restoring``     the least payment that ends a case or gives service back (pure)
``disputes``      contested amounts, worked on and decided; ``dispute_clocks`` by when, as their market has it
``evidence``      files of a dispute, kept and shown; ``file_types`` what a file is, by its own bytes (pure)
``dispute_desk``  which disputes wait, how long they take, and who is told when one is late
``complaints``    customers who are not content with us, answered by their market's ``complaint_clocks``
``complaint_desk``  which complaints wait, and who reads which; ``answers_owed`` what disputes and complaints share
``satisfaction``  one question to the customer, how they were treated: asked seldom, answered once
``quality_sampling``  which work is reviewed, by rule and at random; ``score_cards`` what it is judged by
``reviewing``     one piece of work looked at; ``coaching`` a word about it; ``quality_results`` what came of it
``findings``      what checks of words find in notes and texts, at the close of a day; ``word_checks`` those in force,
                  ``tone_checks`` what a note is judged by, ``text_shapes`` what copies of a text share (both pure)
``calibration``   reviewers who judge the same piece; ``raters`` how far people agree (pure)
``confirmations`` what was agreed, confirmed to the customer as it stands
``suggesting``    what to do next, with its worth and its reasons (pure); ``act_effects`` what acts brought, counted
``suggestions``   what was suggested, answered, and what came of it
``once``          a form that is sent twice is done once
``undoing``       a slip taken back within a minute
``day``           an agent's own figures, and what waits for them; ``paid_time`` what their time went to
``costs``         what collecting costs, by day
``ahead``         what agreements come to by time and by what is written already
``fees``          letting a fee go; ``fee_waivers`` asked for where one's own word is not enough
``loosening``     a looser rule, or a market without a pack: the second person's word
``write_offs``    a second pair of eyes before anything is given up
``book``          this room's files
``lessons``, ``post_mortem``  what was written off and why, and what would have had to be different
``period``, ``kpi_formulas``, ``kpis``, ``today``  the figures supervisors judge by
``scopes``, ``measures``, ``pictures``  what they are of, what is counted for them, and matrices, curves, funnels, maps
``counted_receivables``, ``counted_outcomes``, ``counted_people``, ``counted_costs``  what is counted, with ``counting``
                  how, and ``ageing`` what was open when; ``standing`` what every account had past due, day by day
``snapshots``     the figures as they stood at the close of a day, never rewritten; ``targets`` what they should come to
``restating``     another day or length, computed because somebody asked; ``drilling`` the accounts behind a number
``figure_words``  their titles, units and formulas in the page's language
``reporting``, ``kpi_files``  the figures as a page and as a file for a spreadsheet
``reports``       figures by mail: who wants what and when; ``report_mail`` what such a mail says, with
                  ``report_charts`` drawn; ``report_sending`` each of them once, to whoever may still see it
``interface_language``  in which language the desk speaks to whom
``forms``, ``dispute_forms``, ``delegation_forms``, ``complaint_forms``, ``report_forms``, ``quality_forms``,
                  ``finding_forms``  what is typed
``views``, ``templatetags``, ``urls``   the desk in the browser
``admin``         teams, people and what was agreed; ``call_admin`` what calls come to, and the script's words;
                  ``queue_admin``, ``queue_forms`` orders of the queue; ``complaint_admin`` complaints, costs, answers;
                  ``clock_admin`` what clocks of markets share;
                  ``target_admin`` targets; ``quality_admin`` score cards, what is sampled;
                  ``finding_admin`` checks of words
"""
