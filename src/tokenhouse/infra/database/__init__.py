"""PostgreSQL: the embedded or external server, its schema, and transactions on behalf of an actor.

Nothing is imported here: each module is a door of its own, and importing ``tokenhouse`` stays quick.
"""
