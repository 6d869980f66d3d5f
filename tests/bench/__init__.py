"""How fast the desk is, each part beside the floor it stands on: ``make bench`` (docs/benchmarks.md).

``__main__``  the command: which sizes, then the table
``scratch``   databases made for a measurement and dropped after it
``strategy``  the steps that the floors and our policies both take
``floors``    the least SQL that could do the same work
``book``      the floors' tables told as our book; ``supervised`` what supervisors look at, added to it
``part``      one measurement: its clock, its memory, its line in the table
``bills``     a file of bills lands, is settled and posted
``claims``    agents claim and complete
``pages``     the queue and an account, as the server makes them
``figures``   the figures recorded for the first time, and their pages
``trail``     the history sealed and proven
``day``       decisions, and the whole day
``words``     the contact gate, and what notices say
"""
