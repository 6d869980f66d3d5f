"""How a notice or a network order leaves the house: one module for each road out, none of which knows the database.

base           what is handed over, what comes back, and the difference between "not taken" and "unclear"
opening        a gateway from the URL in the settings
smtp           e-mail through a relay
http_json      one signed POST and what its answer means; shared by the two below
sms_http       text messages through a provider's HTTP interface
network_http   limits and restores, asked of the network
letters_folder print files for the print house
memory         everything arrives at once; the road that `replay` takes
receipts       what the far side tells later: signed delivery receipts
patience       when to try again, and when to leave a failing far side alone for a while
"""
