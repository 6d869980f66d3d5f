"""How a notice or a network order leaves the house: one module for each road out, none of which knows the database.

base           what is handed over, what comes back and comes in, and the difference between "not taken" and "unclear"
opening        a gateway from the URL in the settings
smtp           e-mail through a relay
http_json      one signed POST and what its answer means; shared by the five below
sms_http       text messages through a provider's HTTP interface
push_http      messages in the operator's app, by webhook
voice_http     calls that a machine makes, by webhook
cti_http       calls that a person makes, placed by the telephone system
network_http   limits and restores, asked of the network
sms_smpp       text messages over SMPP, and listening for receipts and replies
sms_alphabet   a text in the network's alphabet, in one message or in parts
print_run      letters that go to the print house together, and the list of them
letters_folder print runs in a folder
letters_sftp   print runs over SFTP
memory         everything arrives at once; the road that `replay` takes
mail_in        a mail as it arrived: a reply, or a report of another
mailbox        a mailbox over IMAP
receipts       what the far side tells later: signed delivery receipts
patience       when to try again, and when to leave a failing far side alone for a while
"""
