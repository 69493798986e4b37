"""Statements: a month of an earner's account."""

from tokenhouse.entrypoints.api.routing import router

routes = router("Payouts")
