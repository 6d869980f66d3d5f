"""The customer's own page: what is owed, how to pay, and a way to say what is wrong, behind a second factor.

texts           the words, in the customer's language
second_factor   the one question, its tries, and for how long its answer holds
page            what is shown
asking          what the customer tells us from there
reaching        how and when they want to hear from us
telling         what they say of us: how they were treated, and complaints
published       how late payment is treated, for whoever asks
views           the addresses' views
urls            the addresses
"""
