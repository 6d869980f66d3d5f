"""Whole journeys of accounts, day by day.

``story``   tells one in code: facts on their days, days that pass, what happened
``ledger``  writes a book of random bills and payments as an operator's files
"""
