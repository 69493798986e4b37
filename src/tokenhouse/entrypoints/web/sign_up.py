"""Making an account of one's own: `/signup`, and `/verify`, where the mailed link leads."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from tokenhouse.domain import access, wallets
from tokenhouse.domain.access import signing
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.ledger.types import Party
from tokenhouse.entrypoints.web import mail
from tokenhouse.entrypoints.web.budget import at_least, sign_in_budget
from tokenhouse.entrypoints.web.forms import read_form
from tokenhouse.entrypoints.web.site import Site, by, notice, page, visitor_of
from tokenhouse.infra.database import PLATFORM, Actor
from tokenhouse.infra.kernel.errors import Conflict, NotFound, ValidationFailed

_BOTH = Actor((0,), teller=True)
_FIRST_PLAN = "free"
_NAME_MAX = 200


def mount(app: FastAPI, site: Site) -> None:
    """Serve the forms; /signup only where anybody may make an account."""

    async def ask(_: Request) -> Response:
        _require_open(site)
        return _form(200, {}, {})

    async def sign_up(request: Request) -> Response:
        _require_open(site)
        form = await read_form(site, request)
        errors = errors_in(form)
        if errors:
            return _form(422, form, errors)
        email = signing.check_email(form["email"])
        wait = await sign_in_budget(site, "sign-up", email, visitor_of(request).address)
        if wait:
            problem = {"email": f"Too many tries. Wait {wait} seconds, then try again."}
            return _form(429, form, problem, {"Retry-After": str(wait)})
        # The time taken does not tell who has an account.
        async with at_least():
            hashed = await site.passwords.hash(signing.check_password(form["password"], email))
            await _sign_up(site, request, form["name"].strip(), email, hashed)
        text = f"We have written to {email}. Open the link in that mail to confirm the address."
        return notice("Look into your mail", text)

    async def show(request: Request) -> Response:
        # Programs that look into mail open links. None presses a button, so an address that somebody else typed is not
        # confirmed by its owner's mail server.
        token = request.query_params.get("token", "")
        async with site.database.read(PLATFORM) as tx:
            found = await access.find_link(tx, token, "verify")
        return _dead() if found is None else page("verify.html", email=found.email, name=found.name, token=token)

    async def verify(request: Request) -> Response:
        token = (await read_form(site, request)).get("token", "")
        async with site.database.transaction(PLATFORM) as tx:
            confirmed = await access.verify_email(tx, token, visitor_of(request))
        if not confirmed:
            return _dead()
        return notice("Your e-mail is confirmed", "You can sign in now.")

    app.add_route("/signup", ask, methods=["GET"], include_in_schema=False)
    app.add_route("/signup", sign_up, methods=["POST"], include_in_schema=False)
    app.add_route("/verify", show, methods=["GET"], include_in_schema=False)
    app.add_route("/verify", verify, methods=["POST"], include_in_schema=False)


def errors_in(form: dict[str, str]) -> dict[str, str]:
    """Say what is wrong with the fields of a new person, by field."""
    errors = {}
    name = form.get("name", "").strip()
    if not name or len(name) > _NAME_MAX or not name.isprintable():
        errors["name"] = f"Enter your name, in at most {_NAME_MAX} characters."
    email = ""
    try:
        email = signing.check_email(form.get("email", ""))
    except ValidationFailed:
        errors["email"] = "Enter an e-mail address such as ada@example.com."
    try:
        signing.check_password(form.get("password", ""), email)
    except ValidationFailed as error:
        errors["password"] = f"It {error.errors[0]['message']}."
    return errors


async def _sign_up(site: Site, request: Request, name: str, email: str, hashed: str) -> None:
    """Make the account and mail its link; whoever has one already gets a link to set a new password."""
    catalog = await site.catalog()
    try:
        async with site.database.transaction(_BOTH) as tx:
            if await access.find_credential(tx, email) is None:
                account = await access.sign_up(tx, name, email, hashed)
                party = Party(account.id, account.bucket, account.external_id)
                await wallets.enrol(tx, catalog, party, _FIRST_PLAN, account.time_zone)
                act = Act("account.create", "account", str(account.id), account.id, after=_FIRST_PLAN)
                await access.record(tx, by(request, account.id), act)
                await mail.send_link(site, tx, account, "verify", await access.issue_link(tx, account.id, "verify"))
            elif asked := await access.request_reset(tx, email):
                await mail.send_link(site, tx, asked[0], "reset", asked[1])
    except Conflict:
        return  # somebody signed up by that e-mail this very moment, and gets the mail


def _dead() -> Response:
    text = "It was used before, is too old, or not whole. Sign in: if the address is not confirmed, we send another."
    return notice("This link does not work", text, 404)


def _require_open(site: Site) -> None:
    if not site.sign_up:
        raise NotFound("Nobody can sign up here by themselves. Ask the operator for an account.")


def _form(status: int, form: dict[str, str], errors: dict[str, str], headers: dict[str, str] | None = None) -> Response:
    """Show the form again, with what was typed but for the password."""
    typed = {"name": form.get("name", "")[:_NAME_MAX], "email": form.get("email", "")[:320]}
    return page("signup.html", status, headers, **typed, errors=errors)
