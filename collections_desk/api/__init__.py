"""The door for machines: ``/api/v1/``.

problems    every refusal, as problem+json
bodies      what a body may hold: strict fields, strict JSON
doors       who may come in, the moment of the request, and answers given once
pages       lists, a page at a time
shapes      what is answered, for the schema and for people who read it
facts       customers, accounts, services, bills, payments, adjustments: lists in, lists out
accounts    one account: its resource, its timeline, the contact gate
acts        calls, promises, disputes, holds, notes and plans, made on an account
agreements  promises, plans, disputes and holds by their own id
terms       time to pay, settlements and cheaper products
queue       the agents' queue
oversight   KPIs and the audit trail
callbacks   what gateways and the network tell
webhooks    whom the desk tells
schema      how the OpenAPI document is made
urls        the addresses
"""
