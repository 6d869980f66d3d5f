"""The operator's files become facts: streamed, checked, merged by difference, what is bad kept for a person.

``columns``    kinds of columns: text to what PostgreSQL takes (pure)
``spec``       what one file of the book is, as data; how a room adds one
``files``      where rows come from
``staging``    parsed and resolved rows beside the book
``checking``   the same id twice, rows that name each other, the spec's checks
``merging``    into the book by difference
``rejecting``  the rows that were refused
``landing``    a folder, a list, a retry: ``import_folder``, ``land``, ``retry_rejected``
"""
