"""The demo book: a made-up telecom operator's customers, bills, payments and agreements, as a folder of CSV files.

book       writes the folder, account by account
people     who the customers are: names, places, ways to reach them
catalogue  what they bought and what it costs a month
facts      the facts of one account in memory, and what it owes on a day
paying     how each kind of payer pays, and what falls out of that
collecting calls, promises, plans and holds of the accounts that fell behind
showcase   hand-made accounts that open the book
shift      the agents at work
colleagues the others at the desk, at work while somebody looks around
voices     what customers want of us, and what they write back
judging    what customers say of us, and what we answer
reviews    what supervisors say of the agents' work, and what agents answer
oversight  targets, words to teams, who stands in for whom, what waits for a second word
mishaps    what does not arrive
strategy   admin and supervisor at work: an experiment, agency files, write-offs, a draft
rulings    the admin on rules and texts
loading    all of it through the real import and the real days
"""
