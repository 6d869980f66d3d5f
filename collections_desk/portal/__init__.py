"""The customer's own page: what is owed and how to pay, behind a second factor.
"""
